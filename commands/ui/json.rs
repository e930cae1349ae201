//! JSON: paths in full, one document on one stream.
//!
//! A path that is valid UTF-8 is its text. One that is not is given twice: as text with the wrong bytes replaced, for
//! people, and as the exact bytes in base64, for programs.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Puts `path` into `object` under `key`, and its bytes under `key_base64` where the text alone would not do.
pub(crate) fn put_path(object: &mut Map<String, Value>, key: &str, path: &Path) {
    object.insert(key.to_owned(), path.to_string_lossy().into());
    if path.to_str().is_none() {
        object.insert(format!("{key}_base64"), STANDARD.encode(path.as_os_str().as_bytes()).into());
    }
}

/// One JSON object that is written field by field, so that a long list in it need not be held in memory.
pub(crate) struct Document<'a> {
    out: &'a mut dyn Write,
    fields: usize,
}

impl<'a> Document<'a> {
    /// Opens the object.
    ///
    /// # Errors
    /// What writing meets.
    pub(crate) fn open(out: &'a mut dyn Write, schema: &str) -> io::Result<Self> {
        out.write_all(b"{")?;
        let mut document = Self { out, fields: 0 };
        document.field("schema", &schema.into())?;
        document.field("version", &env!("CARGO_PKG_VERSION").into())?;
        Ok(document)
    }

    /// A field on a line of its own.
    ///
    /// # Errors
    /// What writing meets.
    pub(crate) fn field(&mut self, key: &str, value: &Value) -> io::Result<()> {
        self.key(key)?;
        Ok(serde_json::to_writer(&mut *self.out, value)?)
    }

    /// A field that is a list, an element to a line.
    ///
    /// # Errors
    /// What writing meets.
    pub(crate) fn list(&mut self, key: &str, elements: impl Iterator<Item = Value>) -> io::Result<()> {
        self.key(key)?;
        self.out.write_all(b"[")?;
        for (index, element) in elements.enumerate() {
            self.out.write_all(if index > 0 { b",\n    " } else { b"\n    " })?;
            serde_json::to_writer(&mut *self.out, &element)?;
        }
        self.out.write_all(b"\n  ]")
    }

    /// Closes the object.
    ///
    /// # Errors
    /// What writing meets.
    pub(crate) fn close(self) -> io::Result<()> {
        self.out.write_all(b"\n}\n")
    }

    fn key(&mut self, key: &str) -> io::Result<()> {
        self.out.write_all(if self.fields > 0 { b",\n  " } else { b"\n  " })?;
        self.fields += 1;
        serde_json::to_writer(&mut *self.out, key)?;
        self.out.write_all(b": ")
    }
}

/// `object!{ "a" => 1, "b" => "x" }` in the order written.
macro_rules! object {
    ($($key:literal => $value:expr),* $(,)?) => {{
        let mut object = serde_json::Map::new();
        $(object.insert($key.to_owned(), serde_json::Value::from($value));)*
        object
    }};
}
pub(crate) use object;

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsStr;

    #[test]
    fn a_document_is_one_object() {
        let mut text = Vec::new();
        let mut document = Document::open(&mut text, "test/1").unwrap();
        document.list("none", std::iter::empty()).unwrap();
        document.list("some", [Value::from(1), Value::from("x")].into_iter()).unwrap();
        document.close().unwrap();
        let read: Value = serde_json::from_slice(&text).unwrap();
        assert_eq!(read["some"], Value::from(vec![Value::from(1), Value::from("x")]));
        assert_eq!((read["schema"].as_str(), read["none"].as_array().map(Vec::len)), (Some("test/1"), Some(0)));
    }

    #[test]
    fn a_path_that_is_no_text_comes_with_its_bytes() {
        let mut object = object! { "n" => 1 };
        put_path(&mut object, "path", Path::new("plain"));
        put_path(&mut object, "odd", Path::new(OsStr::from_bytes(b"a\xff")));
        let text = serde_json::to_string(&object).unwrap();
        assert_eq!(text, r#"{"n":1,"path":"plain","odd":"a�","odd_base64":"Yf8="}"#);
    }
}
