//! TensorBoard event files: `Event` messages (`tensorflow/core/util/event.proto`) in TFRecord framing with masked CRC-32C.

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::{Path, PathBuf},
};

use anneal_runtime::clock::SharedClock;
use prost::Message;

use super::{Error, Result, point::Point};

/// `tensorflow.Event`, the fields that are written.
#[derive(Clone, PartialEq, Message)]
struct Event {
    #[prost(double, tag = "1")]
    wall_time: f64,
    #[prost(int64, tag = "2")]
    step: i64,
    #[prost(oneof = "What", tags = "3, 5, 7")]
    what: Option<What>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum What {
    #[prost(string, tag = "3")]
    FileVersion(String),
    #[prost(message, tag = "5")]
    Summary(Summary),
    #[prost(message, tag = "7")]
    SessionLog(SessionLog),
}

/// `tensorflow.Summary`.
#[derive(Clone, PartialEq, Message)]
struct Summary {
    #[prost(message, repeated, tag = "1")]
    value: Vec<Scalar>,
}

/// `tensorflow.Summary.Value` with a simple value.
#[derive(Clone, PartialEq, Message)]
struct Scalar {
    #[prost(string, tag = "1")]
    tag: String,
    #[prost(float, tag = "2")]
    simple_value: f32,
}

/// `tensorflow.SessionLog`: a start makes TensorBoard forget what earlier files have from this step on.
#[derive(Clone, PartialEq, Message)]
struct SessionLog {
    #[prost(int32, tag = "1")]
    status: i32,
}

const START: i32 = 1;

/// One open event file.
pub(crate) struct EventFile {
    path: PathBuf,
    file: BufWriter<File>,
}

impl EventFile {
    /// Opens a new file in `folder` for a run that goes on after `step`. Beyond step 0 it replaces the files of the runs before.
    pub(crate) fn create(folder: &Path, clock: &SharedClock, step: u64) -> Result<Self> {
        std::fs::create_dir_all(folder).map_err(|error| Error::io(folder, error))?;
        let now = clock.unix_ms();
        // Zero-padded: TensorBoard reads the files of a folder in name order.
        let name = format!("events.out.tfevents.{:010}.anneal.{}.{step}", now / 1000, std::process::id());
        let path = folder.join(name);
        let file = File::create(&path).map_err(|error| Error::io(&path, error))?;
        let mut events = Self { path, file: BufWriter::new(file) };
        let wall_time = now as f64 / 1000.0;
        events.write(wall_time, 0, What::FileVersion("brain.Event:2".to_owned()))?;
        if step > 0 {
            events.write(wall_time, 1, What::SessionLog(SessionLog { status: START }))?;
        }
        events.flush()?;
        Ok(events)
    }

    /// Writes the scalars of a report; a reader sees them at once.
    pub(crate) fn scalars(&mut self, point: &Point) -> Result<()> {
        let value = point.scalars().map(|(tag, simple_value)| Scalar { tag, simple_value }).collect();
        self.write(point.wall_time, point.step, What::Summary(Summary { value }))?;
        self.flush()
    }

    fn write(&mut self, wall_time: f64, step: u64, what: What) -> Result<()> {
        let event = Event { wall_time, step: step as i64, what: Some(what) }.encode_to_vec();
        let record = record(&event);
        self.file.write_all(&record).map_err(|error| Error::io(&self.path, error))
    }

    fn flush(&mut self) -> Result<()> {
        self.file.flush().map_err(|error| Error::io(&self.path, error))
    }
}

/// TFRecord: length, its checksum, the data, its checksum.
fn record(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    let mut record = Vec::with_capacity(data.len() + 16);
    record.extend_from_slice(&length);
    record.extend_from_slice(&masked_crc(&length).to_le_bytes());
    record.extend_from_slice(data);
    record.extend_from_slice(&masked_crc(data).to_le_bytes());
    record
}

fn masked_crc(data: &[u8]) -> u32 {
    crc32c::crc32c(data).rotate_right(15).wrapping_add(0xA282_EAD8)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn the_first_record_is_what_tensorboard_writes() {
        // tensorboard's EventFileWriter at wall time 0: 18 00 … "brain.Event:2".
        let event =
            Event { wall_time: 0.0, step: 0, what: Some(What::FileVersion("brain.Event:2".to_owned())) };
        let data = event.encode_to_vec();
        assert_eq!(data, b"\x1a\x0dbrain.Event:2");
        let record = record(&data);
        assert_eq!(record.len(), 8 + 4 + 15 + 4);
        assert_eq!(record[..8], 15_u64.to_le_bytes());
    }
}
