//! Settings whose values are looked at when they are set: a wrong one is refused, and not found out later.

use std::ffi::{CStr, CString, c_char, c_void};

use pgrx::{GucContext, GucFlags, GucRegistry, GucSetting, pg_guard, pg_sys};

use crate::settings;

/// The name of a setting, and what it is in short and in long.
type Texts = [&'static CStr; 3];
type Text = GucSetting<Option<CString>>;

/// Defines `trips.watch_directory`.
pub fn define_watch_directory(texts: Texts, setting: &'static Text) {
    define(texts, setting, Some(check_watch_directory));
}

/// Defines `trips.watch_pattern`.
pub fn define_watch_pattern(texts: Texts, setting: &'static Text) {
    define(texts, setting, Some(check_watch_pattern));
}

fn define([name, short, long]: Texts, setting: &'static Text, hook: pg_sys::GucStringCheckHook) {
    let (context, flags) = (GucContext::Sighup, GucFlags::default());
    // SAFETY: the hook is guarded: a panic in it becomes an ERROR.
    unsafe {
        GucRegistry::define_string_guc_with_hooks(
            name, short, long, setting, context, flags, hook, None, None,
        );
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn check_watch_directory(
    value: *mut *mut c_char,
    _extra: *mut *mut c_void,
    _source: pg_sys::GucSource::Type,
) -> bool {
    // SAFETY: PostgreSQL's call of a check hook.
    unsafe { check(value, settings::fault_of_watch_directory) }
}

#[pg_guard]
unsafe extern "C-unwind" fn check_watch_pattern(
    value: *mut *mut c_char,
    _extra: *mut *mut c_void,
    _source: pg_sys::GucSource::Type,
) -> bool {
    // SAFETY: PostgreSQL's call of a check hook.
    unsafe { check(value, settings::fault_of_watch_pattern) }
}

/// # Safety
/// Called by PostgreSQL as a check hook, with a pointer to the new value, which may be NULL.
unsafe fn check(value: *mut *mut c_char, fault_of: fn(&str) -> Option<&'static CStr>) -> bool {
    // SAFETY: the value is a C string if it is not NULL. The detail is only read, and lives for ever.
    unsafe {
        if (*value).is_null() {
            return true;
        }
        let fault = fault_of(&CStr::from_ptr(*value).to_string_lossy());
        if let Some(fault) = fault {
            pg_sys::GUC_check_errdetail_string = fault.as_ptr().cast_mut();
        }
        fault.is_none()
    }
}
