//! CSV as RFC 4180 has it, but for the line end: a plain newline, since the readers are Unix tools.
//!
//! A name is written byte for byte, quoted where it has to be, so that a file name with a newline in it is still one
//! field for a CSV reader, and so that bytes that are no UTF-8 arrive as they are.

/// Appends one field to a line.
pub(crate) fn field(line: &mut Vec<u8>, value: &[u8]) {
    if line.last().is_some_and(|&byte| byte != b'\n') {
        line.push(b',');
    }
    let quote = value.iter().any(|byte| b",\"\r\n".contains(byte)) || value.is_empty();
    if !quote {
        line.extend_from_slice(value);
        return;
    }
    line.push(b'"');
    for &byte in value {
        if byte == b'"' {
            line.push(b'"');
        }
        line.push(byte);
    }
    line.push(b'"');
}

/// A line of fields.
pub(crate) fn line<'a>(fields: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut line = Vec::new();
    fields.into_iter().for_each(|value| field(&mut line, value));
    line.push(b'\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_quoted_where_they_must_be() {
        let fields: [&[u8]; 4] = [b"1", b"a,b", b"say \"x\"\n", b"\xff"];
        assert_eq!(line(fields), b"1,\"a,b\",\"say \"\"x\"\"\n\",\xff\n");
        assert_eq!(line([&b""[..], b"x"]), b"\"\",x\n");
    }
}
