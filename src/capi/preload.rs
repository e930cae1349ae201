//! Installs the library at load, when it was preloaded or when `TOOLBOX_CRASH` is set.
//!
//! Preloaded is it when an entry of `LD_PRELOAD` ends in the name of the file that we are. `TOOLBOX_CRASH` holds options, or `off`.
//! In a program that has more rights than who started it, the environment is not looked at: options name files that are
//! written.
//!
//! What goes wrong here has nobody to be returned to, and so is said in one line on standard error; the program goes on.
//!
//! # Safety
//!
//! The function is entered among those that the loader calls, with the arguments that it passes to each. The environment
//! is read before the program has run.
#![allow(unsafe_code)]

use crate::crash::options::{Builder, Unknown};
use crate::sys::raw;
use core::ffi::{CStr, c_void};

#[used]
// SAFETY: the section holds functions without a result, called once with arguments that may be ignored.
#[unsafe(link_section = ".init_array")]
static AT_LOAD: extern "C" fn() = at_load;

/// Whether this program has more rights than who started it.
fn has_more_rights() -> bool {
    // SAFETY: the C library looks a number up in a table of its own.
    unsafe { libc::getauxval(libc::AT_SECURE) != 0 }
}

fn variable(name: &CStr) -> Option<&'static [u8]> {
    // SAFETY: the name ends with a zero, and nobody else runs yet that could change the environment.
    let value = unsafe { libc::getenv(name.as_ptr()) };
    // SAFETY: null, or a string that nobody changes while the loader is at work.
    (!value.is_null()).then(|| unsafe { CStr::from_ptr(value) }.to_bytes())
}

/// The name of the file that this code is in, without its folder.
fn own_name() -> Option<&'static [u8]> {
    // SAFETY: all of it is pointers, which may be null.
    let mut found = unsafe { core::mem::zeroed::<libc::Dl_info>() };
    let here = at_load as *const c_void;
    // SAFETY: an address, and a place for what is found.
    if unsafe { libc::dladdr(here, &raw mut found) } == 0 || found.dli_fname.is_null() {
        return None;
    }
    // SAFETY: the loader's own string for the file, which stays for as long as the file is loaded.
    Some(file_name(unsafe { CStr::from_ptr(found.dli_fname) }.to_bytes()))
}

fn file_name(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| *byte == b'/').next().unwrap_or(path)
}

/// Whether `list`, of the form of `LD_PRELOAD`, has a file of this name.
fn has_file(list: &[u8], name: &[u8]) -> bool {
    !name.is_empty() && list.split(|byte| matches!(byte, b':' | b' ')).any(|entry| file_name(entry) == name)
}

fn is_off(options: &[u8]) -> bool {
    matches!(options, b"off" | b"no" | b"0")
}

fn say(parts: &[&[u8]]) {
    for part in parts {
        let _ = raw::write(libc::STDERR_FILENO, part);
    }
}

extern "C" fn at_load() {
    if has_more_rights() {
        return;
    }
    let options = variable(c"TOOLBOX_CRASH");
    let is_preloaded = || own_name().zip(variable(c"LD_PRELOAD")).is_some_and(|(name, list)| has_file(list, name));
    if options.map_or_else(|| !is_preloaded(), is_off) {
        return;
    }
    let options = options.unwrap_or_default();
    let builder = Builder::new().parse(options).unwrap_or_else(|Unknown { start, end }| {
        let part = options.get(start..end).unwrap_or(options);
        say(&[b"toolbox: TOOLBOX_CRASH: not known: ", part, b"; the usual options serve\n"]);
        Builder::new()
    });
    let code = super::install(builder);
    if code != super::OK {
        // SAFETY: a string of ours.
        let why = unsafe { CStr::from_ptr(super::toolbox_error_text(code)) };
        say(&[b"toolbox: no crash reports: ", why.to_bytes(), b"\n"]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_preloaded_files_is_read() {
        assert!(has_file(b"/opt/lib/libtoolbox.so", b"libtoolbox.so"));
        assert!(has_file(b"libm.so.6:libtoolbox.so.0 x.so", b"libtoolbox.so.0"));
        assert!(!has_file(b"/opt/libtoolbox.so/other.so", b"libtoolbox.so"));
        assert!(!has_file(b"", b"libtoolbox.so"));
        assert!(!has_file(b"a::b", b""));
    }
}
