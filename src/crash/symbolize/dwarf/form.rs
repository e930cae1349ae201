//! Values of attributes: how each form is read, and how it is passed.

use super::constants::form;
use crate::crash::symbolize::reader::Reader;

/// What the sizes of forms depend on: a property of the unit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Encoding {
    pub(crate) version: u16,
    pub(crate) is_64: bool,
    pub(crate) address_size: u8,
}

/// A value as it is written; what refers to another section is looked up by whoever needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    /// An address.
    Address(u64),
    /// The number of an address in `.debug_addr`.
    AddressIndex(u64),
    /// A number; signed ones as their bits.
    Number(u64),
    /// An offset in some section.
    Offset(u64),
    /// The number of a list in `.debug_rnglists` or `.debug_loclists`.
    ListIndex(u64),
    /// A string in place.
    String(&'a [u8]),
    /// In `.debug_str`.
    StringAt(u64),
    /// In `.debug_line_str`.
    LineStringAt(u64),
    /// In `.debug_str` of the file that several share.
    SharedStringAt(u64),
    /// The number of a string in `.debug_str_offsets`.
    StringIndex(u64),
    /// An entry of the same unit, from its beginning.
    InUnit(u64),
    /// An entry of the same section.
    InSection(u64),
    /// An entry of the file that several share.
    Shared(u64),
    /// Bytes, a type's signature: nothing that is needed here.
    Other,
}

/// How a value of variable size is passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Length {
    /// So many bytes.
    Fixed(u32),
    /// A LEB128 number.
    Leb,
    /// A LEB128 number says how many bytes follow.
    Block,
    /// A number of so many bytes says how many follow.
    SizedBlock(u8),
    /// Up to a zero.
    String,
    /// Its form stands before it.
    Indirect,
}

/// How long a value of `form` is. `None` for a form that is not known: then nothing behind it can be found.
pub(crate) fn length(form: u16, encoding: Encoding) -> Option<Length> {
    let offset = if encoding.is_64 { 8 } else { 4 };
    let address = u32::from(encoding.address_size);
    Some(match form {
        form::ADDR => Length::Fixed(address),
        form::FLAG_PRESENT | form::IMPLICIT_CONST => Length::Fixed(0),
        form::DATA1 | form::FLAG | form::REF1 | form::STRX1 | form::ADDRX1 => Length::Fixed(1),
        form::DATA2 | form::REF2 | form::STRX2 | form::ADDRX2 => Length::Fixed(2),
        form::STRX3 | form::ADDRX3 => Length::Fixed(3),
        form::DATA4 | form::REF4 | form::REF_SUP4 | form::STRX4 | form::ADDRX4 => Length::Fixed(4),
        form::DATA8 | form::REF8 | form::REF_SIG8 | form::REF_SUP8 => Length::Fixed(8),
        form::DATA16 => Length::Fixed(16),
        // Before version 3 it had the size of an address.
        form::REF_ADDR => Length::Fixed(if encoding.version <= 2 { address } else { offset }),
        form::STRP | form::SEC_OFFSET | form::LINE_STRP | form::STRP_SUP | form::GNU_REF_ALT | form::GNU_STRP_ALT => {
            Length::Fixed(offset)
        }
        form::UDATA | form::SDATA | form::REF_UDATA | form::STRX | form::ADDRX => Length::Leb,
        form::LOCLISTX | form::RNGLISTX | form::GNU_ADDR_INDEX | form::GNU_STR_INDEX => Length::Leb,
        form::BLOCK | form::EXPRLOC => Length::Block,
        form::BLOCK1 => Length::SizedBlock(1),
        form::BLOCK2 => Length::SizedBlock(2),
        form::BLOCK4 => Length::SizedBlock(4),
        form::STRING => Length::String,
        form::INDIRECT => Length::Indirect,
        _ => return None,
    })
}

/// Passes a value.
pub(crate) fn skip(reader: &mut Reader<'_>, length: Length, encoding: Encoding) -> Option<()> {
    match length {
        Length::Fixed(size) => reader.skip(u64::from(size)),
        Length::Leb => reader.skip_leb(),
        Length::Block => {
            let size = reader.uleb()?;
            reader.skip(size)
        }
        Length::SizedBlock(size) => {
            let size = reader.sized(size)?;
            reader.skip(size)
        }
        Length::String => reader.string().map(drop),
        Length::Indirect => {
            let form = u16::try_from(reader.uleb()?).ok()?;
            match self::length(form, encoding)? {
                // A form that says that its form stands before it, again: nobody writes that.
                Length::Indirect => None,
                length => skip(reader, length, encoding),
            }
        }
    }
}

/// Reads a value. `implicit` is what the abbreviation holds for `DW_FORM_implicit_const`.
#[inline]
pub(crate) fn read<'a>(reader: &mut Reader<'a>, form: u16, implicit: i64, encoding: Encoding) -> Option<Value<'a>> {
    let form = if form == form::INDIRECT { u16::try_from(reader.uleb()?).ok()? } else { form };
    Some(match form {
        form::ADDR => Value::Address(reader.sized(encoding.address_size)?),
        form::DATA1 | form::FLAG => Value::Number(u64::from(reader.u8()?)),
        form::DATA2 => Value::Number(u64::from(reader.u16()?)),
        // Before version 4 offsets had no form of their own.
        form::DATA4 => Value::Number(u64::from(reader.u32()?)),
        form::DATA8 => Value::Number(reader.u64()?),
        form::UDATA => Value::Number(reader.uleb()?),
        form::SDATA => Value::Number(reader.sleb()?.cast_unsigned()),
        form::IMPLICIT_CONST => Value::Number(implicit.cast_unsigned()),
        form::FLAG_PRESENT => Value::Number(1),
        form::SEC_OFFSET => Value::Offset(reader.offset(encoding.is_64)?),
        form::RNGLISTX | form::LOCLISTX => Value::ListIndex(reader.uleb()?),
        form::STRING => Value::String(reader.string()?),
        form::STRP => Value::StringAt(reader.offset(encoding.is_64)?),
        form::LINE_STRP => Value::LineStringAt(reader.offset(encoding.is_64)?),
        form::STRP_SUP | form::GNU_STRP_ALT => Value::SharedStringAt(reader.offset(encoding.is_64)?),
        form::STRX | form::GNU_STR_INDEX => Value::StringIndex(reader.uleb()?),
        form::STRX1 => Value::StringIndex(reader.sized(1)?),
        form::STRX2 => Value::StringIndex(reader.sized(2)?),
        form::STRX3 => Value::StringIndex(reader.sized(3)?),
        form::STRX4 => Value::StringIndex(reader.sized(4)?),
        form::ADDRX | form::GNU_ADDR_INDEX => Value::AddressIndex(reader.uleb()?),
        form::ADDRX1 => Value::AddressIndex(reader.sized(1)?),
        form::ADDRX2 => Value::AddressIndex(reader.sized(2)?),
        form::ADDRX3 => Value::AddressIndex(reader.sized(3)?),
        form::ADDRX4 => Value::AddressIndex(reader.sized(4)?),
        form::REF1 => Value::InUnit(reader.sized(1)?),
        form::REF2 => Value::InUnit(reader.sized(2)?),
        form::REF4 => Value::InUnit(reader.sized(4)?),
        form::REF8 => Value::InUnit(reader.u64()?),
        form::REF_UDATA => Value::InUnit(reader.uleb()?),
        form::REF_ADDR if encoding.version <= 2 => Value::InSection(reader.sized(encoding.address_size)?),
        form::REF_ADDR => Value::InSection(reader.offset(encoding.is_64)?),
        form::GNU_REF_ALT => Value::Shared(reader.offset(encoding.is_64)?),
        form::REF_SUP4 => Value::Shared(reader.sized(4)?),
        form::REF_SUP8 => Value::Shared(reader.u64()?),
        _ => {
            skip(reader, length(form, encoding)?, encoding)?;
            Value::Other
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_and_passing_agree() {
        let bytes = [3_u8, 1, 2, 3, 0, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17];
        for is_64 in [false, true] {
            for version in [2, 4, 5] {
                let encoding = Encoding { version, is_64, address_size: 8 };
                for form in (0..0x40).chain(0x1f00..0x1f30) {
                    let mut read = Reader::new(&bytes);
                    let mut passed = Reader::new(&bytes);
                    let value = self::read(&mut read, form, 0, encoding);
                    let done = length(form, encoding).and_then(|length| skip(&mut passed, length, encoding));
                    assert_eq!(value.is_some(), done.is_some(), "form {form:#x}");
                    if done.is_some() {
                        assert_eq!(read.position(), passed.position(), "form {form:#x}");
                    }
                }
            }
        }
    }

    #[test]
    fn an_indirect_form_does_not_recurse() {
        let encoding = Encoding { version: 4, is_64: false, address_size: 8 };
        let bytes = [0x16_u8; 64];
        assert_eq!(read(&mut Reader::new(&bytes), form::INDIRECT, 0, encoding), None);
    }
}
