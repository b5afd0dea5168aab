//! Opens a file, plain or gzip (told by its magic number), skips a UTF-8 byte-order mark, and counts what was read.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Cursor, Read},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use flate2::bufread::MultiGzDecoder;

use crate::{Error, Result};

const BUFFER_BYTES: usize = 1 << 16;
const HEAD_BYTES: usize = 1 << 16;
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// The decompressed bytes of a file, and how much of the file itself they took.
pub(crate) struct Source {
    pub(crate) reader: Box<dyn BufRead + Send>,
    pub(crate) bytes_read: Arc<AtomicU64>,
}

/// The first bytes of a file, decompressed.
pub(crate) struct Head {
    pub(crate) bytes: Vec<u8>,
    pub(crate) gzip: bool,
}

impl Source {
    /// Opens `path` at its first byte after a byte-order mark.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let io = |source| Error::Io { path: path.to_owned(), source };
        let bytes_read = Arc::new(AtomicU64::new(0));
        let file = File::open(path).map_err(io)?;
        let counted = Counted { inner: file, bytes: Arc::clone(&bytes_read) };
        let mut raw = BufReader::with_capacity(BUFFER_BYTES, counted);
        let gzip = raw.fill_buf().map_err(io)?.starts_with(&GZIP);
        let mut inner: Box<dyn Read + Send> =
            if gzip { Box::new(MultiGzDecoder::new(raw)) } else { Box::new(raw) };
        let mut start = Vec::with_capacity(3);
        inner.by_ref().take(3).read_to_end(&mut start).map_err(io)?;
        if start == [0xEF, 0xBB, 0xBF] {
            start.clear();
        }
        let reader = BufReader::with_capacity(BUFFER_BYTES, Cursor::new(start).chain(inner));
        Ok(Self { reader: Box::new(reader), bytes_read })
    }
}

impl Head {
    /// Reads the first bytes of `path`; a byte-order mark is gone from them.
    pub(crate) fn of(path: &Path) -> Result<Self> {
        let io = |source| Error::Io { path: path.to_owned(), source };
        let mut magic = Vec::with_capacity(2);
        File::open(path).map_err(io)?.take(2).read_to_end(&mut magic).map_err(io)?;
        let mut bytes = Vec::new();
        let read = Source::open(path)?.reader.take(HEAD_BYTES as u64).read_to_end(&mut bytes);
        // A damaged file still has a head; whoever reads on meets the error.
        if bytes.is_empty() {
            read.map_err(io)?;
        }
        Ok(Self { bytes, gzip: magic == GZIP })
    }

    /// True where the head is the whole file.
    pub(crate) fn is_whole(&self) -> bool {
        self.bytes.len() < HEAD_BYTES
    }
}

struct Counted {
    inner: File,
    bytes: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.bytes.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}
