//! Canonical JSON, the form of the log's leaves: a subset of RFC 8785 in which each value has one spelling.
//!
//! * Objects, lists, texts, numbers, `true` and `false`; no `null`, nothing between the tokens.
//! * Numbers are decimals without sign, point, exponent or leading zeros, at most [`JSON_NUMBER_MAX`].
//! * Texts and names are printable ASCII without `"` and `\`, so nothing is ever escaped. Names are not empty, and
//!   those of an object rise strictly in byte order.
//! * Bytes are texts of padded standard base64 with no trailing bits.

mod read;

use std::fmt;

use crate::encoding::decode_base64;

/// Bytes of a document at most: a log entry's.
pub const JSON_BYTES_MAX: usize = crate::tile::ENTRY_BYTES_MAX;

/// Objects and lists inside of each other at most, the outermost object included.
pub const JSON_DEPTH_MAX: usize = 8;

/// The largest number: what a double holds exactly (RFC 8785 §3.2.2.3).
pub const JSON_NUMBER_MAX: u64 = (1 << 53) - 1;

/// Why bytes are not canonical JSON, or a field is not what was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// More than [`JSON_BYTES_MAX`] bytes, or than the limit of what it is read as.
    #[error("JSON longer than the limit")]
    TooLong,
    /// Something else than a value, or than what follows one; a blank, `null` or a sign among them.
    #[error("byte {at} of the JSON is not what canonical JSON has there")]
    Syntax {
        /// From 0.
        at: usize,
    },
    /// A leading zero, or above [`JSON_NUMBER_MAX`].
    #[error("the number at byte {at} of the JSON has a leading zero or is too large")]
    Number {
        /// Where it ends, from 0.
        at: usize,
    },
    /// A text or a name with an escape, or with a character that is not printable ASCII.
    #[error("byte {at} of the JSON is not printable ASCII that stands for itself")]
    Text {
        /// From 0.
        at: usize,
    },
    /// A name that is empty, repeated, or below the one before it.
    #[error("the field {name:?} is repeated or out of order")]
    Order {
        /// The name.
        name: String,
    },
    /// More than [`JSON_DEPTH_MAX`] objects and lists inside of each other.
    #[error("JSON nested deeper than the limit")]
    Depth,
    /// A field is missing.
    #[error("no field {name:?}")]
    Missing {
        /// The name that was asked for.
        name: String,
    },
    /// A field has another type.
    #[error("the field {name:?} is not {wanted}")]
    Type {
        /// The name that was asked for.
        name: String,
        /// What it should be.
        wanted: &'static str,
    },
    /// A field that nobody asked for.
    #[error("an unknown field {name:?}")]
    Unknown {
        /// Its name.
        name: String,
    },
}

/// A value. Its bytes are its [`fmt::Display`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// `true` or `false`.
    Flag(bool),
    /// At most [`JSON_NUMBER_MAX`].
    Number(u64),
    /// Printable ASCII without `"` and `\`.
    Text(&'a str),
    /// Values.
    List(Vec<Value<'a>>),
    /// Fields.
    Object(Object<'a>),
}

/// An object: what a leaf is. Its bytes are its [`fmt::Display`], and no others parse to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object<'a> {
    /// In the order of their names.
    fields: Vec<(&'a str, Value<'a>)>,
}

impl<'a> Object<'a> {
    /// Reads a document, which is an object.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, JsonError> {
        read::document(bytes, JSON_BYTES_MAX)
    }

    /// Reads a document that is no log entry and has a limit of its own.
    pub(crate) fn parse_within(bytes: &'a [u8], bytes_max: usize) -> Result<Self, JsonError> {
        read::document(bytes, bytes_max)
    }

    pub(crate) fn fields(&self) -> impl Iterator<Item = (&'a str, &Value<'a>)> {
        self.fields.iter().map(|(name, value)| (*name, value))
    }

    /// An object of fields that are in the order of their names already.
    pub(crate) fn of_sorted(fields: Vec<(&'a str, Value<'a>)>) -> Self {
        Self { fields }
    }

    /// The field's value, if there is one.
    pub fn get(&self, name: &str) -> Option<&Value<'a>> {
        let place = self.fields.binary_search_by(|(other, _)| (*other).cmp(name));
        place.ok().map(|place| &self.fields[place].1)
    }

    /// A field of `true` or `false`.
    pub fn flag(&self, name: &str) -> Result<bool, JsonError> {
        self.typed(name, "true or false", |value| match value {
            Value::Flag(flag) => Some(*flag),
            Value::Number(_) | Value::Text(_) | Value::List(_) | Value::Object(_) => None,
        })
    }

    /// A field of a number.
    pub fn number(&self, name: &str) -> Result<u64, JsonError> {
        self.typed(name, "a number", Value::as_number)
    }

    /// A field of a text.
    pub fn text(&self, name: &str) -> Result<&'a str, JsonError> {
        self.typed(name, "a text", Value::as_text)
    }

    /// A field of bytes.
    pub fn bytes(&self, name: &str) -> Result<Vec<u8>, JsonError> {
        self.typed(name, "canonical base64", |value| {
            value.as_text().and_then(decode_base64)
        })
    }

    /// A field of `N` bytes.
    pub fn array<const N: usize>(&self, name: &str) -> Result<[u8; N], JsonError> {
        self.typed(name, "canonical base64 of its length", |value| {
            value.as_text().and_then(decode_base64)?.try_into().ok()
        })
    }

    /// A field of a list of numbers.
    pub fn numbers(&self, name: &str) -> Result<Vec<u64>, JsonError> {
        self.typed(name, "a list of numbers", |value| {
            value.as_list()?.iter().map(Value::as_number).collect()
        })
    }

    /// A field of a list of objects.
    pub fn objects(&self, name: &str) -> Result<Vec<&Object<'a>>, JsonError> {
        self.typed(name, "a list of objects", |value| {
            value.as_list()?.iter().map(Value::as_object).collect()
        })
    }

    /// A field of a list of any values.
    pub fn list(&self, name: &str) -> Result<&[Value<'a>], JsonError> {
        self.typed(name, "a list", Value::as_list)
    }

    /// A field of an object.
    pub fn object(&self, name: &str) -> Result<&Object<'a>, JsonError> {
        self.typed(name, "an object", Value::as_object)
    }

    /// Checks that there are no fields but these.
    pub fn expect_only(&self, names: &[&str]) -> Result<(), JsonError> {
        let unknown = self.fields.iter().find(|(name, _)| !names.contains(name));
        unknown.map_or(Ok(()), |(name, _)| {
            let name = (*name).to_owned();
            Err(JsonError::Unknown { name })
        })
    }

    fn typed<'s, T>(
        &'s self,
        name: &str,
        wanted: &'static str,
        read: impl FnOnce(&'s Value<'a>) -> Option<T>,
    ) -> Result<T, JsonError> {
        let named = || name.to_owned();
        let value = self
            .get(name)
            .ok_or_else(|| JsonError::Missing { name: named() })?;
        read(value).ok_or_else(|| JsonError::Type {
            name: named(),
            wanted,
        })
    }
}

impl<'a> Value<'a> {
    /// The number, if it is one.
    pub fn as_number(&self) -> Option<u64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Flag(_) | Self::Text(_) | Self::List(_) | Self::Object(_) => None,
        }
    }

    /// The text, if it is one.
    pub fn as_text(&self) -> Option<&'a str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Flag(_) | Self::Number(_) | Self::List(_) | Self::Object(_) => None,
        }
    }

    /// The values, if it is a list.
    pub fn as_list(&self) -> Option<&[Self]> {
        match self {
            Self::List(values) => Some(values),
            Self::Flag(_) | Self::Number(_) | Self::Text(_) | Self::Object(_) => None,
        }
    }

    /// The object, if it is one.
    pub fn as_object(&self) -> Option<&Object<'a>> {
        match self {
            Self::Object(object) => Some(object),
            Self::Flag(_) | Self::Number(_) | Self::Text(_) | Self::List(_) => None,
        }
    }
}

impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => write!(f, "{flag}"),
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => write!(f, "\"{text}\""),
            Self::Object(object) => object.fmt(f),
            Self::List(values) => {
                f.write_str("[")?;
                for (place, value) in values.iter().enumerate() {
                    write!(f, "{}{value}", if place == 0 { "" } else { "," })?;
                }
                f.write_str("]")
            }
        }
    }
}

impl fmt::Display for Object<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (place, (name, value)) in self.fields.iter().enumerate() {
            write!(f, "{}\"{name}\":{value}", if place == 0 { "" } else { "," })?;
        }
        f.write_str("}")
    }
}
