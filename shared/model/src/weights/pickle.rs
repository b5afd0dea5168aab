//! Refusal of pickled weights: unpickling runs code, so such a file is never opened further than its first bytes.

use std::io::Read as _;
use std::path::Path;

use crate::error::{Error, Result};

const EXTENSIONS: [&str; 7] = ["bin", "pt", "pth", "pkl", "pickle", "ckpt", "joblib"];

/// Refuses a file that is a pickle by name or by content, whatever it is called.
pub(crate) fn refuse_pickle(path: &Path) -> Result<()> {
    let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default().to_ascii_lowercase();
    if EXTENSIONS.contains(&extension.as_str()) || starts_like_pickle(path)? {
        return Err(Error::malformed(
            path,
            "a pickle file, which can run code when it is read; convert the weights to safetensors",
        ));
    }
    Ok(())
}

/// A pickle of protocol 2 to 5, or a zip archive (what `torch.save` writes).
fn starts_like_pickle(path: &Path) -> Result<bool> {
    let mut head = [0_u8; 4];
    let mut file = std::fs::File::open(path).map_err(|e| Error::io(path, e))?;
    let mut filled = 0;
    while filled < head.len() {
        match file.read(&mut head[filled..]).map_err(|e| Error::io(path, e))? {
            0 => break,
            n => filled += n,
        }
    }
    let pickle = head[0] == 0x80 && (2..=5).contains(&head[1]) && (head[2] != 0 || head[3] != 0);
    Ok(pickle || head == *b"PK\x03\x04")
}
