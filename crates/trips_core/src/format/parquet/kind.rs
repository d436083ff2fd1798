//! What the values of a column are.

use parquet::basic::{ConvertedType, LogicalType, TimeUnit, Type};
use parquet::schema::types::ColumnDescriptor;

/// The longest value of fixed length that is read, bytes.
const MAX_FIXED: i32 = 64 * 1024;
/// Limit of the digits behind the point of a decimal: those of the longest number that a feed reads.
const MAX_SCALE: i32 = 128;

/// Parts of a second that an integer counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Millis,
    Micros,
    Nanos,
}

/// What the values of a column are, whatever their physical type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Bool,
    /// An integer with a sign.
    Int,
    /// An integer without a sign, of 32 or 64 bits.
    Unsigned,
    Float,
    Double,
    /// An integer or bytes, of which so many digits are behind the point.
    Decimal(u32),
    /// Days since 1970-01-01.
    Date,
    /// Since midnight.
    Time(Unit),
    /// Since 1970-01-01: of UTC, or a wall clock.
    Timestamp {
        unit: Unit,
        is_instant: bool,
    },
    /// A day and nanoseconds, converted to microseconds. It is a wall clock.
    Int96,
    /// Bytes that are text.
    Text,
    /// 16 bytes.
    Uuid,
    /// Every value is NULL.
    Null,
}

impl Kind {
    /// The kind of a column; None if such values are not read.
    pub(super) fn of(column: &ColumnDescriptor) -> Option<Self> {
        let physical = column.physical_type();
        let is_integer = matches!(physical, Type::INT32 | Type::INT64);
        let is_bytes = matches!(physical, Type::BYTE_ARRAY | Type::FIXED_LEN_BYTE_ARRAY);
        if physical == Type::FIXED_LEN_BYTE_ARRAY
            && !(0..=MAX_FIXED).contains(&column.type_length())
        {
            return None;
        }
        let unit = |unit: &TimeUnit| match unit {
            TimeUnit::MILLIS => Unit::Millis,
            TimeUnit::MICROS => Unit::Micros,
            TimeUnit::NANOS => Unit::Nanos,
        };
        let decimal = |scale: i32| {
            let scale = u32::try_from(scale).ok().filter(|_| scale <= MAX_SCALE);
            scale.filter(|_| is_integer || is_bytes).map(Self::Decimal)
        };
        match column.logical_type_ref() {
            Some(LogicalType::Timestamp(time)) if physical == Type::INT64 => {
                let is_instant = time.is_adjusted_to_u_t_c;
                Some(Self::Timestamp { unit: unit(&time.unit), is_instant })
            }
            Some(LogicalType::Time(time)) if is_integer => Some(Self::Time(unit(&time.unit))),
            Some(LogicalType::Date) if physical == Type::INT32 => Some(Self::Date),
            Some(LogicalType::Decimal(number)) => decimal(number.scale),
            Some(LogicalType::Integer(number)) if is_integer && !number.is_signed => {
                Some(Self::Unsigned)
            }
            Some(LogicalType::Unknown) => Some(Self::Null),
            Some(LogicalType::Uuid) if column.type_length() == 16 => Some(Self::Uuid),
            Some(
                LogicalType::Float16
                | LogicalType::Bson
                | LogicalType::Variant(_)
                | LogicalType::Geometry(_)
                | LogicalType::Geography(_),
            ) => None,
            Some(LogicalType::String | LogicalType::Enum | LogicalType::Json) if is_bytes => {
                Some(Self::Text)
            }
            _ => {
                Self::of_converted(column.converted_type(), physical, decimal(column.type_scale()))
            }
        }
    }

    /// The kind of a column of a writer that has no logical types. As in Arrow and DuckDB, its timestamps are wall
    /// clocks.
    fn of_converted(of: ConvertedType, physical: Type, decimal: Option<Self>) -> Option<Self> {
        let wall = |unit| Some(Self::Timestamp { unit, is_instant: false });
        match (of, physical) {
            (ConvertedType::TIMESTAMP_MILLIS, Type::INT64) => wall(Unit::Millis),
            (ConvertedType::TIMESTAMP_MICROS, Type::INT64) => wall(Unit::Micros),
            (ConvertedType::TIME_MILLIS, Type::INT32) => Some(Self::Time(Unit::Millis)),
            (ConvertedType::TIME_MICROS, Type::INT64) => Some(Self::Time(Unit::Micros)),
            (ConvertedType::DATE, Type::INT32) => Some(Self::Date),
            (ConvertedType::DECIMAL, _) => decimal,
            (
                ConvertedType::UINT_8
                | ConvertedType::UINT_16
                | ConvertedType::UINT_32
                | ConvertedType::UINT_64,
                Type::INT32 | Type::INT64,
            ) => Some(Self::Unsigned),
            (ConvertedType::INTERVAL | ConvertedType::BSON, _) => None,
            (_, Type::BOOLEAN) => Some(Self::Bool),
            (_, Type::INT32 | Type::INT64) => Some(Self::Int),
            (_, Type::INT96) => Some(Self::Int96),
            (_, Type::FLOAT) => Some(Self::Float),
            (_, Type::DOUBLE) => Some(Self::Double),
            (_, Type::BYTE_ARRAY | Type::FIXED_LEN_BYTE_ARRAY) => Some(Self::Text),
        }
    }

    /// Whether its values are dates with times, of a wall clock.
    pub(super) fn is_wall_clock(self) -> bool {
        matches!(self, Self::Timestamp { is_instant: false, .. } | Self::Int96)
    }

    /// Whether its values are times.
    pub(super) fn is_time(self) -> bool {
        matches!(self, Self::Date | Self::Time(_) | Self::Timestamp { .. } | Self::Int96)
    }
}
