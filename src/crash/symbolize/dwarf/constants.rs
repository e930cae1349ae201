//! The numbers of DWARF that are used here, by their standard names without the prefix.

/// Tags (`DW_TAG_*`).
pub(crate) mod tag {
    pub(crate) const ARRAY_TYPE: u16 = 0x01;
    pub(crate) const CLASS_TYPE: u16 = 0x02;
    pub(crate) const ENUMERATION_TYPE: u16 = 0x04;
    pub(crate) const STRUCTURE_TYPE: u16 = 0x13;
    pub(crate) const SUBROUTINE_TYPE: u16 = 0x15;
    pub(crate) const UNION_TYPE: u16 = 0x17;
    pub(crate) const INLINED_SUBROUTINE: u16 = 0x1d;
    pub(crate) const SUBPROGRAM: u16 = 0x2e;
}

/// Attributes (`DW_AT_*`).
pub(crate) mod at {
    pub(crate) const SIBLING: u16 = 0x01;
    pub(crate) const NAME: u16 = 0x03;
    pub(crate) const STMT_LIST: u16 = 0x10;
    pub(crate) const LOW_PC: u16 = 0x11;
    pub(crate) const HIGH_PC: u16 = 0x12;
    pub(crate) const COMP_DIR: u16 = 0x1b;
    pub(crate) const ABSTRACT_ORIGIN: u16 = 0x31;
    pub(crate) const SPECIFICATION: u16 = 0x47;
    pub(crate) const RANGES: u16 = 0x55;
    pub(crate) const CALL_COLUMN: u16 = 0x57;
    pub(crate) const CALL_FILE: u16 = 0x58;
    pub(crate) const CALL_LINE: u16 = 0x59;
    pub(crate) const LINKAGE_NAME: u16 = 0x6e;
    pub(crate) const STR_OFFSETS_BASE: u16 = 0x72;
    pub(crate) const ADDR_BASE: u16 = 0x73;
    pub(crate) const RNGLISTS_BASE: u16 = 0x74;
    pub(crate) const DWO_NAME: u16 = 0x76;
    pub(crate) const MIPS_LINKAGE_NAME: u16 = 0x2007;
    pub(crate) const GNU_DISCRIMINATOR: u16 = 0x2136;
    pub(crate) const GNU_DWO_NAME: u16 = 0x2130;
    pub(crate) const GNU_DWO_ID: u16 = 0x2131;
    pub(crate) const GNU_RANGES_BASE: u16 = 0x2132;
    pub(crate) const GNU_ADDR_BASE: u16 = 0x2133;
}

/// Forms (`DW_FORM_*`).
pub(crate) mod form {
    pub(crate) const ADDR: u16 = 0x01;
    pub(crate) const BLOCK2: u16 = 0x03;
    pub(crate) const BLOCK4: u16 = 0x04;
    pub(crate) const DATA2: u16 = 0x05;
    pub(crate) const DATA4: u16 = 0x06;
    pub(crate) const DATA8: u16 = 0x07;
    pub(crate) const STRING: u16 = 0x08;
    pub(crate) const BLOCK: u16 = 0x09;
    pub(crate) const BLOCK1: u16 = 0x0a;
    pub(crate) const DATA1: u16 = 0x0b;
    pub(crate) const FLAG: u16 = 0x0c;
    pub(crate) const SDATA: u16 = 0x0d;
    pub(crate) const STRP: u16 = 0x0e;
    pub(crate) const UDATA: u16 = 0x0f;
    pub(crate) const REF_ADDR: u16 = 0x10;
    pub(crate) const REF1: u16 = 0x11;
    pub(crate) const REF2: u16 = 0x12;
    pub(crate) const REF4: u16 = 0x13;
    pub(crate) const REF8: u16 = 0x14;
    pub(crate) const REF_UDATA: u16 = 0x15;
    pub(crate) const INDIRECT: u16 = 0x16;
    pub(crate) const SEC_OFFSET: u16 = 0x17;
    pub(crate) const EXPRLOC: u16 = 0x18;
    pub(crate) const FLAG_PRESENT: u16 = 0x19;
    pub(crate) const STRX: u16 = 0x1a;
    pub(crate) const ADDRX: u16 = 0x1b;
    pub(crate) const REF_SUP4: u16 = 0x1c;
    pub(crate) const STRP_SUP: u16 = 0x1d;
    pub(crate) const DATA16: u16 = 0x1e;
    pub(crate) const LINE_STRP: u16 = 0x1f;
    pub(crate) const REF_SIG8: u16 = 0x20;
    pub(crate) const IMPLICIT_CONST: u16 = 0x21;
    pub(crate) const LOCLISTX: u16 = 0x22;
    pub(crate) const RNGLISTX: u16 = 0x23;
    pub(crate) const REF_SUP8: u16 = 0x24;
    pub(crate) const STRX1: u16 = 0x25;
    pub(crate) const STRX2: u16 = 0x26;
    pub(crate) const STRX3: u16 = 0x27;
    pub(crate) const STRX4: u16 = 0x28;
    pub(crate) const ADDRX1: u16 = 0x29;
    pub(crate) const ADDRX2: u16 = 0x2a;
    pub(crate) const ADDRX3: u16 = 0x2b;
    pub(crate) const ADDRX4: u16 = 0x2c;
    pub(crate) const GNU_ADDR_INDEX: u16 = 0x1f01;
    pub(crate) const GNU_STR_INDEX: u16 = 0x1f02;
    pub(crate) const GNU_REF_ALT: u16 = 0x1f20;
    pub(crate) const GNU_STRP_ALT: u16 = 0x1f21;
}

/// Kinds of units (`DW_UT_*`).
pub(crate) mod kind {
    pub(crate) const COMPILE: u8 = 0x01;
    pub(crate) const TYPE: u8 = 0x02;
    pub(crate) const SKELETON: u8 = 0x04;
    pub(crate) const SPLIT_COMPILE: u8 = 0x05;
    pub(crate) const SPLIT_TYPE: u8 = 0x06;
}

/// Opcodes of line programs (`DW_LNS_*`, and `DW_LNE_*` where said).
pub(crate) mod line {
    pub(crate) const COPY: u8 = 1;
    pub(crate) const ADVANCE_PC: u8 = 2;
    pub(crate) const ADVANCE_LINE: u8 = 3;
    pub(crate) const SET_FILE: u8 = 4;
    pub(crate) const SET_COLUMN: u8 = 5;
    pub(crate) const NEGATE_STMT: u8 = 6;
    pub(crate) const SET_BASIC_BLOCK: u8 = 7;
    pub(crate) const CONST_ADD_PC: u8 = 8;
    pub(crate) const FIXED_ADVANCE_PC: u8 = 9;
    pub(crate) const SET_PROLOGUE_END: u8 = 10;
    pub(crate) const SET_EPILOGUE_BEGIN: u8 = 11;
    pub(crate) const SET_ISA: u8 = 12;
    /// Extended.
    pub(crate) const END_SEQUENCE: u8 = 1;
    /// Extended.
    pub(crate) const SET_ADDRESS: u8 = 2;
    /// Extended.
    pub(crate) const DEFINE_FILE: u8 = 3;
    /// Extended.
    pub(crate) const SET_DISCRIMINATOR: u8 = 4;
    /// What a file's entry says in version 5 (`DW_LNCT_*`).
    pub(crate) const PATH: u64 = 1;
    /// What a file's entry says in version 5 (`DW_LNCT_*`).
    pub(crate) const DIRECTORY_INDEX: u64 = 2;
}

/// Entries of range lists (`DW_RLE_*`).
pub(crate) mod range {
    pub(crate) const END_OF_LIST: u8 = 0;
    pub(crate) const BASE_ADDRESSX: u8 = 1;
    pub(crate) const STARTX_ENDX: u8 = 2;
    pub(crate) const STARTX_LENGTH: u8 = 3;
    pub(crate) const OFFSET_PAIR: u8 = 4;
    pub(crate) const BASE_ADDRESS: u8 = 5;
    pub(crate) const START_END: u8 = 6;
    pub(crate) const START_LENGTH: u8 = 7;
}
