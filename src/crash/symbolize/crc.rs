//! CRC-32 and CRC-64 as xz uses them (the first also `.gnu_debuglink` and zip), eight bytes at a time.
//!
//! Eight tables say what a byte comes to that has passed through none to seven further bytes; they are made by the compiler.

/// The tables of one polynomial, which is given with its bits reversed.
const fn tables(polynomial: u64) -> [[u64; 256]; 8] {
    let mut all = [[0; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let mut sum = byte as u64;
        let mut bit = 0;
        while bit < 8 {
            sum = (sum >> 1) ^ (if sum & 1 == 1 { polynomial } else { 0 });
            bit += 1;
        }
        all[0][byte] = sum;
        byte += 1;
    }
    let mut table = 1;
    while table < 8 {
        let mut byte = 0;
        while byte < 256 {
            let before = all[table - 1][byte];
            all[table][byte] = (before >> 8) ^ all[0][(before & 255) as usize];
            byte += 1;
        }
        table += 1;
    }
    all
}

static TABLES_32: [[u64; 256]; 8] = tables(0xedb8_8320);
static TABLES_64: [[u64; 256]; 8] = tables(0xc96c_5795_d787_0f42);

fn sum(tables: &[[u64; 256]; 8], start: u64, data: &[u8]) -> u64 {
    let (eights, rest) = data.as_chunks::<8>();
    let mut sum = start;
    for eight in eights {
        let mixed = (sum ^ u64::from_le_bytes(*eight)).to_le_bytes();
        sum = tables.iter().rev().zip(mixed).fold(0, |sum, (table, byte)| sum ^ table[usize::from(byte)]);
    }
    rest.iter().fold(sum, |sum, byte| (sum >> 8) ^ tables[0][usize::from(sum as u8 ^ byte)])
}

/// CRC-32.
pub(super) fn crc32(data: &[u8]) -> u32 {
    !sum(&TABLES_32, 0xffff_ffff, data) as u32
}

/// CRC-64.
pub(super) fn crc64(data: &[u8]) -> u64 {
    !sum(&TABLES_64, u64::MAX, data)
}
