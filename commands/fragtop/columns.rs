//! The columns of a file: one list, for the table, for CSV and for JSON.

use serde_json::Value as Json;
use toolbox::fragment::{FileReport, Flags, Totals};

/// A value in its own unit.
pub(super) enum Value {
    /// A number of things.
    Count(u64),
    /// Bytes.
    Bytes(u64),
    /// Nanoseconds.
    Nanoseconds(u64),
    /// Yes or no.
    Truth(bool),
    /// A word.
    Word(String),
    /// Flags, where they are known.
    Flags(Option<Flags>),
}

/// One column: its name in CSV and JSON, and its value.
pub(super) struct Column<T> {
    pub(super) name: &'static str,
    pub(super) value: fn(&T) -> Value,
}

/// The columns of a file but for its path, which is last everywhere.
pub(super) const FILE: [Column<FileReport>; 9] = [
    Column { name: "fragments", value: |file| Value::Count(file.layout.fragments) },
    Column { name: "fragments_exact", value: |file| Value::Truth(file.layout.exact) },
    Column { name: "ideal", value: |file| Value::Count(file.layout.ideal) },
    Column { name: "excess_ns", value: |file| Value::Nanoseconds(file.layout.excess_ns) },
    Column { name: "extents", value: |file| Value::Count(file.layout.extents) },
    Column { name: "size_bytes", value: |file| Value::Bytes(file.size_bytes) },
    Column { name: "allocated_bytes", value: |file| Value::Bytes(file.allocated_bytes) },
    Column { name: "filesystem", value: |file| Value::Word(file.volume.name.clone()) },
    Column { name: "flags", value: |file| Value::Flags(file.layout.flags) },
];

/// The columns of sums over files.
pub(super) const SUMS: [Column<Totals>; 8] = [
    Column { name: "fragments", value: |totals| Value::Count(totals.fragments) },
    Column { name: "files", value: |totals| Value::Count(totals.files) },
    Column { name: "fragmented", value: |totals| Value::Count(totals.fragmented) },
    Column { name: "excess_ns", value: |totals| Value::Nanoseconds(totals.excess_ns) },
    Column { name: "extents", value: |totals| Value::Count(totals.extents) },
    Column { name: "size_bytes", value: |totals| Value::Bytes(totals.size_bytes) },
    Column { name: "allocated_bytes", value: |totals| Value::Bytes(totals.allocated_bytes) },
    Column { name: "inexact", value: |totals| Value::Count(totals.inexact) },
];

impl Value {
    /// For CSV.
    pub(super) fn raw(&self) -> String {
        match self {
            Self::Count(number) | Self::Bytes(number) | Self::Nanoseconds(number) => number.to_string(),
            Self::Truth(truth) => truth.to_string(),
            Self::Word(word) => word.clone(),
            Self::Flags(flags) => {
                flags.map_or_else(|| "?".to_owned(), |flags| flags.names().collect::<Vec<_>>().join(" "))
            }
        }
    }

    /// For JSON.
    pub(super) fn json(&self) -> Json {
        match self {
            Self::Count(number) | Self::Bytes(number) | Self::Nanoseconds(number) => (*number).into(),
            Self::Truth(truth) => (*truth).into(),
            Self::Word(word) => word.as_str().into(),
            Self::Flags(None) => Json::Null,
            Self::Flags(Some(flags)) => flags.names().collect::<Vec<_>>().into(),
        }
    }
}
