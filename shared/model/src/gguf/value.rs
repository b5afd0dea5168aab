//! Metadata values.

use super::cursor::{Cursor, Parsed};

/// A metadata value; the widths of the file are widened.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Any unsigned integer.
    Unsigned(u64),
    /// Any signed integer.
    Signed(i64),
    /// A float; 32-bit ones are widened exactly.
    Float(f64),
    /// A truth value.
    Bool(bool),
    /// UTF-8 text.
    Text(String),
    /// A list of one type.
    Array(Array),
}

/// A metadata array.
#[derive(Debug, Clone, PartialEq)]
pub enum Array {
    /// Integers of any width.
    Integers(Vec<i64>),
    /// Floats of any width.
    Floats(Vec<f64>),
    /// Truth values.
    Bools(Vec<bool>),
    /// Texts.
    Texts(Vec<String>),
}

impl Value {
    /// As an unsigned number.
    pub fn as_u64(&self) -> Option<u64> {
        match *self {
            Self::Unsigned(n) => Some(n),
            Self::Signed(n) => u64::try_from(n).ok(),
            _ => None,
        }
    }

    /// As a float.
    pub fn as_f64(&self) -> Option<f64> {
        match *self {
            Self::Float(f) => Some(f),
            Self::Unsigned(n) => Some(n as f64),
            Self::Signed(n) => Some(n as f64),
            _ => None,
        }
    }

    /// As a truth value.
    pub fn as_bool(&self) -> Option<bool> {
        match *self {
            Self::Bool(b) => Some(b),
            _ => None,
        }
    }

    /// As text.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// As a list of texts.
    pub fn as_texts(&self) -> Option<&[String]> {
        match self {
            Self::Array(Array::Texts(texts)) => Some(texts),
            _ => None,
        }
    }

    /// As a list of integers.
    pub fn as_integers(&self) -> Option<&[i64]> {
        match self {
            Self::Array(Array::Integers(list)) => Some(list),
            _ => None,
        }
    }

    /// As a list of floats.
    pub fn as_floats(&self) -> Option<&[f64]> {
        match self {
            Self::Array(Array::Floats(list)) => Some(list),
            _ => None,
        }
    }

    pub(super) fn read(cursor: &mut Cursor) -> Parsed<Self> {
        match cursor.u32()? {
            8 => cursor.string().map(Self::Text),
            9 => Array::read(cursor).map(Self::Array),
            kind => Scalar::read(kind, cursor).map(|scalar| match scalar {
                Scalar::Unsigned(n) => Self::Unsigned(n),
                Scalar::Signed(n) => Self::Signed(n),
                Scalar::Float(f) => Self::Float(f),
                Scalar::Bool(b) => Self::Bool(b),
            }),
        }
    }
}

enum Scalar {
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Bool(bool),
}

impl Scalar {
    fn read(kind: u32, cursor: &mut Cursor) -> Parsed<Self> {
        Ok(match kind {
            0 => Self::Unsigned(u64::from(u8::from_le_bytes(cursor.bytes()?))),
            1 => Self::Signed(i64::from(i8::from_le_bytes(cursor.bytes()?))),
            2 => Self::Unsigned(u64::from(u16::from_le_bytes(cursor.bytes()?))),
            3 => Self::Signed(i64::from(i16::from_le_bytes(cursor.bytes()?))),
            4 => Self::Unsigned(u64::from(cursor.u32()?)),
            5 => Self::Signed(i64::from(i32::from_le_bytes(cursor.bytes()?))),
            6 => Self::Float(f64::from(f32::from_le_bytes(cursor.bytes()?))),
            7 => match cursor.bytes::<1>()? {
                [0] => Self::Bool(false),
                [1] => Self::Bool(true),
                [other] => return Err(format!("a truth value of {other}")),
            },
            10 => Self::Unsigned(cursor.u64()?),
            11 => Self::Signed(i64::from_le_bytes(cursor.bytes()?)),
            12 => Self::Float(f64::from_le_bytes(cursor.bytes()?)),
            other => return Err(format!("metadata type {other} is unknown")),
        })
    }

    /// Bytes of a scalar of this type.
    fn width(kind: u32) -> Parsed<u64> {
        match kind {
            0 | 1 | 7 => Ok(1),
            2 | 3 => Ok(2),
            4..=6 => Ok(4),
            10..=12 => Ok(8),
            9 => Err("arrays inside arrays".to_owned()),
            other => Err(format!("metadata type {other} is unknown")),
        }
    }
}

impl Array {
    fn read(cursor: &mut Cursor) -> Parsed<Self> {
        let kind = cursor.u32()?;
        if kind == 8 {
            let count = cursor.count("strings", 8)?;
            return (0..count).map(|_| cursor.string()).collect::<Parsed<_>>().map(Self::Texts);
        }
        let count = cursor.count("array elements", Scalar::width(kind)?)?;
        let mut array = Self::with_capacity(kind, count);
        for _ in 0..count {
            array.push(Scalar::read(kind, cursor)?)?;
        }
        Ok(array)
    }

    /// An empty array for scalars of this type.
    fn with_capacity(kind: u32, count: usize) -> Self {
        match kind {
            6 | 12 => Self::Floats(Vec::with_capacity(count)),
            7 => Self::Bools(Vec::with_capacity(count)),
            _ => Self::Integers(Vec::with_capacity(count)),
        }
    }

    fn push(&mut self, scalar: Scalar) -> Parsed<()> {
        match (self, scalar) {
            (Self::Integers(list), Scalar::Signed(n)) => list.push(n),
            (Self::Integers(list), Scalar::Unsigned(n)) => {
                list.push(i64::try_from(n).map_err(|_| format!("{n} in an array"))?);
            }
            (Self::Floats(list), Scalar::Float(f)) => list.push(f),
            (Self::Bools(list), Scalar::Bool(b)) => list.push(b),
            _ => return Err("a mixed array".to_owned()),
        }
        Ok(())
    }
}
