//! JSON: paths in full, one document on one stream.
//!
//! A path that is valid UTF-8 is its text. One that is not is given twice: as text with the wrong bytes replaced, for
//! people, and as the exact bytes in base64, for programs.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Puts `path` into `object` under `key`, and its bytes under `key_base64` where the text alone would not do.
pub(crate) fn put_path(object: &mut Map<String, Value>, key: &str, path: &Path) {
    object.insert(key.to_owned(), path.to_string_lossy().into());
    if path.to_str().is_none() {
        object.insert(format!("{key}_base64"), STANDARD.encode(path.as_os_str().as_bytes()).into());
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
    fn a_path_that_is_no_text_comes_with_its_bytes() {
        let mut object = object! { "n" => 1 };
        put_path(&mut object, "path", Path::new("plain"));
        put_path(&mut object, "odd", Path::new(OsStr::from_bytes(b"a\xff")));
        let text = serde_json::to_string(&object).unwrap();
        assert_eq!(text, r#"{"n":1,"path":"plain","odd":"a�","odd_base64":"Yf8="}"#);
    }
}
