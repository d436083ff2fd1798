//! The values of a stored row, as binary COPY writes them.

use std::collections::TryReserveError;

use pgrx::{PgTupleDesc, pg_sys};

use super::relation::{Attribute, Table};

/// Columns of a table, wherever they are in its rows.
pub struct StoredColumns {
    /// The number of each column, from 1, and its type.
    columns: Vec<(i16, pg_sys::Oid)>,
}

impl StoredColumns {
    /// These columns of a table; None if it lacks one, or one has another type.
    pub fn of(table: &Table, wanted: &[Attribute]) -> Option<Self> {
        // SAFETY: the relation is open, so its descriptor is valid.
        let found = unsafe { PgTupleDesc::from_pg_unchecked((*table.as_ptr()).rd_att) };
        let number = |wanted: &Attribute| {
            let column = found.iter().find(|column| wanted.is(column))?;
            Some((column.attnum, wanted.type_oid))
        };
        let columns = wanted.iter().map(number).collect::<Option<Vec<_>>>()?;
        Some(Self { columns })
    }

    /// Appends the values of a row.
    ///
    /// # Safety
    /// The slot has a row of the table.
    pub(super) unsafe fn read(
        &self,
        slot: *mut pg_sys::TupleTableSlot,
        out: &mut Vec<u8>,
    ) -> Result<(), TryReserveError> {
        for &(number, kind) in &self.columns {
            // SAFETY: our caller promises the row; the table has a column of this number. The slot has the values of the
            // columns up to the last one that was asked for.
            let datum = unsafe {
                if (*slot).tts_nvalid < number {
                    pg_sys::slot_getsomeattrs_int(slot, number.into());
                }
                let at = usize::try_from(number - 1).unwrap_or_default();
                (!*(*slot).tts_isnull.add(at)).then(|| *(*slot).tts_values.add(at))
            };
            let Some(datum) = datum else {
                out.try_reserve(4)?;
                out.extend_from_slice(&(-1_i32).to_be_bytes());
                continue;
            };
            // SAFETY: the value is one of this type, which `of` has checked.
            unsafe { push(datum, kind, out)? };
        }
        Ok(())
    }
}

/// Appends a value with its length.
///
/// # Safety
/// The value has this type.
unsafe fn push(
    datum: pg_sys::Datum,
    kind: pg_sys::Oid,
    out: &mut Vec<u8>,
) -> Result<(), TryReserveError> {
    let mut value = |bytes: &[u8]| {
        out.try_reserve(4 + bytes.len())?;
        out.extend_from_slice(&i32::try_from(bytes.len()).unwrap_or(i32::MAX).to_be_bytes());
        out.extend_from_slice(bytes);
        Ok(())
    };
    match kind {
        pg_sys::INT8OID | pg_sys::TIMESTAMPOID => value(&(datum.value() as u64).to_be_bytes()),
        pg_sys::POINTOID => {
            // SAFETY: a point is two numbers, and aligned.
            let point = unsafe { *datum.cast_mut_ptr::<pg_sys::Point>() };
            let mut bytes = [0; 16];
            bytes[..8].copy_from_slice(&point.x.to_be_bytes());
            bytes[8..].copy_from_slice(&point.y.to_be_bytes());
            value(&bytes)
        }
        pg_sys::UUIDOID => {
            // SAFETY: a uuid is 16 bytes.
            value(unsafe { &*datum.cast_mut_ptr::<[u8; 16]>() })
        }
        // SAFETY: text and jsonb are varlenas. A detoasted copy is ours: its bytes are copied, then it is freed.
        _ => unsafe {
            let stored = datum.cast_mut_ptr();
            let whole = pg_sys::pg_detoast_datum_packed(stored);
            let result = value(pgrx::varlena::varlena_to_byte_slice(whole));
            if whole != stored {
                pg_sys::pfree(whole.cast());
            }
            result
        },
    }
}
