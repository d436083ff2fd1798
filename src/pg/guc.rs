//! Settings whose values are checked when they are set: an invalid value is rejected at once.

use std::ffi::{CStr, CString, c_char, c_void};

use pgrx::{GucContext, GucFlags, GucRegistry, GucSetting, pg_guard, pg_sys};

/// The name of a setting, its short and its long description.
type Texts = [&'static CStr; 3];
type Text = GucSetting<Option<CString>>;

/// The valid values of a setting.
pub trait Check {
    /// What is wrong with a value: a sentence.
    fn fault(text: &str) -> Option<&'static CStr>;
}

/// Defines a setting whose values are checked.
pub fn define_text<C: Check>(
    [name, short, long]: Texts,
    setting: &'static Text,
    context: GucContext,
) {
    let flags = GucFlags::default();
    // SAFETY: the hook is guarded: a panic in it becomes an ERROR.
    unsafe {
        GucRegistry::define_string_guc_with_hooks(
            name,
            short,
            long,
            setting,
            context,
            flags,
            Some(check::<C>),
            None,
            None,
        );
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn check<C: Check>(
    value: *mut *mut c_char,
    _extra: *mut *mut c_void,
    _source: pg_sys::GucSource::Type,
) -> bool {
    // SAFETY: PostgreSQL calls a check hook with a pointer to the new value, a C string if it is not NULL. The detail is
    // only read, and lives for ever.
    unsafe {
        if (*value).is_null() {
            return true;
        }
        let fault = C::fault(&CStr::from_ptr(*value).to_string_lossy());
        if let Some(fault) = fault {
            pg_sys::GUC_check_errdetail_string = fault.as_ptr().cast_mut();
        }
        fault.is_none()
    }
}
