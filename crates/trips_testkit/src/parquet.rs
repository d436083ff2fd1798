//! Parquet files of tests, in all types, encodings and layouts.

use std::sync::Arc;

use parquet::basic::{Compression, Encoding};
use parquet::column::writer::{ColumnWriter, ColumnWriterImpl};
use parquet::data_type::{ByteArray, DataType, FixedLenByteArray, Int96};
use parquet::file::properties::{WriterProperties, WriterPropertiesBuilder, WriterVersion};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

/// A value; None is NULL.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Of BOOLEAN.
    Bool(bool),
    /// Of INT32 and INT64.
    Int(i64),
    /// Of FLOAT and DOUBLE.
    Number(f64),
    /// Of INT96: nanoseconds in two parts, and the day.
    Int96([u32; 3]),
    /// Of BYTE_ARRAY and FIXED_LEN_BYTE_ARRAY.
    Bytes(Vec<u8>),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Bytes(text.as_bytes().to_vec())
    }
}

/// A column: its line in a schema, as `optional int32 VendorID`, and its values.
#[derive(Debug, Clone)]
pub struct Column {
    /// The line without a semicolon.
    pub schema: String,
    /// The values of all rows.
    pub values: Vec<Option<Value>>,
    /// The encoding of its pages, if it has no dictionary.
    pub encoding: Option<Encoding>,
}

impl Column {
    /// A column in the default encoding.
    pub fn new(schema: &str, values: Vec<Option<Value>>) -> Self {
        Self { schema: schema.to_owned(), values, encoding: None }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        let name = self.schema.split_whitespace().find(|word| {
            let is_type = ["required", "optional", "boolean", "binary", "float", "double"];
            !is_type.contains(word) && !word.starts_with("int") && !word.starts_with("fixed")
        });
        name.unwrap_or_default()
    }
}

/// How a file is divided and compressed.
#[derive(Debug, Clone, Copy)]
pub struct Layout {
    /// The compression of pages.
    pub compression: Compression,
    /// Rows of a row group at most.
    pub group_rows: usize,
    /// Bytes of a page at most, about.
    pub page_bytes: usize,
    /// Whether values are in dictionaries first.
    pub has_dictionary: bool,
    /// Whether pages are of version 2.
    pub is_v2: bool,
    /// Bytes of a dictionary at most, about.
    pub dictionary_bytes: usize,
}

impl Default for Layout {
    fn default() -> Self {
        Self {
            compression: Compression::SNAPPY,
            group_rows: 1_000_000,
            page_bytes: 1024 * 1024,
            has_dictionary: true,
            is_v2: false,
            dictionary_bytes: 1024 * 1024,
        }
    }
}

impl Layout {
    /// Pages as they are.
    #[must_use]
    pub fn uncompressed() -> Self {
        Self { compression: Compression::UNCOMPRESSED, ..Self::default() }
    }
}

/// The bytes of a file.
///
/// # Panics
/// When the columns are not a file.
#[must_use]
pub fn write(columns: &[Column], layout: Layout) -> Vec<u8> {
    let lines: String = columns.iter().map(|column| format!("{};\n", column.schema)).collect();
    let schema = parse_message_type(&format!("message schema {{ {lines} }}")).expect("a schema");
    let mut properties = properties_of(layout);
    for column in columns {
        properties = with_encoding(properties, column);
    }
    let properties = Arc::new(properties.build());
    let mut writer =
        SerializedFileWriter::new(Vec::new(), Arc::new(schema), properties).expect("a writer");
    let rows = columns.first().map_or(0, |column| column.values.len());
    for start in (0..rows).step_by(layout.group_rows.max(1)) {
        let end = rows.min(start + layout.group_rows);
        let mut group = writer.next_row_group().expect("a row group");
        for column in columns {
            let mut chunk = group.next_column().expect("a column").expect("as many columns");
            let values = &column.values[start..end];
            let levels: Vec<i16> = values.iter().map(|value| i16::from(value.is_some())).collect();
            let levels = column.schema.starts_with("optional").then_some(&levels[..]);
            put(chunk.untyped(), (levels, None), &values.iter().flatten().collect::<Vec<_>>());
            chunk.close().expect("a column chunk");
        }
        group.close().expect("a row group");
    }
    writer.into_inner().expect("a file")
}

fn properties_of(layout: Layout) -> WriterPropertiesBuilder {
    let version =
        if layout.is_v2 { WriterVersion::PARQUET_2_0 } else { WriterVersion::PARQUET_1_0 };
    WriterProperties::builder()
        .set_writer_version(version)
        .set_compression(layout.compression)
        .set_dictionary_enabled(layout.has_dictionary)
        .set_dictionary_page_size_limit(layout.dictionary_bytes)
        .set_data_page_size_limit(layout.page_bytes)
        .set_write_batch_size(64)
}

/// The values of a column in a group or a list.
#[derive(Debug, Clone, Default)]
pub struct Leaf {
    /// Those that are not NULL.
    pub values: Vec<Value>,
    /// The definition level of each value, NULLs included; none if it cannot be NULL.
    pub definition: Vec<i16>,
    /// The repetition level of each value; none if it is not in a list.
    pub repetition: Vec<i16>,
}

/// The bytes of a file with the columns of this schema, which may be in groups and lists, in one row group.
///
/// # Panics
/// When the columns are not those of the schema.
#[must_use]
pub fn write_nested(schema: &str, leaves: &[Leaf], layout: Layout) -> Vec<u8> {
    let schema = parse_message_type(&format!("message schema {{ {schema} }}")).expect("a schema");
    let properties = Arc::new(properties_of(layout).build());
    let mut writer =
        SerializedFileWriter::new(Vec::new(), Arc::new(schema), properties).expect("a writer");
    let mut group = writer.next_row_group().expect("a row group");
    for leaf in leaves {
        let levels = |levels: &'_ Vec<i16>| (!levels.is_empty()).then(|| levels.clone());
        let (definition, repetition) = (levels(&leaf.definition), levels(&leaf.repetition));
        let mut chunk = group.next_column().expect("a column").expect("as many columns");
        let values: Vec<&Value> = leaf.values.iter().collect();
        put(chunk.untyped(), (definition.as_deref(), repetition.as_deref()), &values);
        chunk.close().expect("a column chunk");
    }
    group.close().expect("a row group");
    writer.into_inner().expect("a file")
}

fn with_encoding(properties: WriterPropertiesBuilder, column: &Column) -> WriterPropertiesBuilder {
    match column.encoding {
        Some(encoding) => {
            let path = || column.name().into();
            properties
                .set_column_dictionary_enabled(path(), false)
                .set_column_encoding(path(), encoding)
        }
        None => properties,
    }
}

/// Writes values that are not NULL, with the definition and the repetition levels of all values.
fn put(writer: &mut ColumnWriter<'_>, levels: (Option<&[i16]>, Option<&[i16]>), values: &[&Value]) {
    let int = |value: &Value| match value {
        Value::Int(value) => *value,
        value => panic!("{value:?} is no integer"),
    };
    let number = |value: &Value| match value {
        Value::Number(value) => *value,
        value => panic!("{value:?} is no number"),
    };
    let bytes = |value: &Value| match value {
        Value::Bytes(value) => value.clone(),
        value => panic!("{value:?} is no text"),
    };
    match writer {
        ColumnWriter::BoolColumnWriter(writer) => {
            batch(writer, levels, values, |value| *value == Value::Bool(true));
        }
        ColumnWriter::Int32ColumnWriter(writer) => batch(writer, levels, values, |value| {
            #[expect(clippy::cast_possible_truncation, reason = "the bits of 32")]
            let value = int(value) as i32;
            value
        }),
        ColumnWriter::Int64ColumnWriter(writer) => batch(writer, levels, values, int),
        ColumnWriter::Int96ColumnWriter(writer) => batch(writer, levels, values, |value| {
            let Value::Int96([a, b, c]) = value else { panic!("{value:?} is no INT96") };
            let mut number = Int96::new();
            number.set_data(*a, *b, *c);
            number
        }),
        ColumnWriter::FloatColumnWriter(writer) => batch(writer, levels, values, |value| {
            #[expect(clippy::cast_possible_truncation, reason = "the nearest number")]
            let value = number(value) as f32;
            value
        }),
        ColumnWriter::DoubleColumnWriter(writer) => batch(writer, levels, values, number),
        ColumnWriter::ByteArrayColumnWriter(writer) => {
            batch(writer, levels, values, |value| ByteArray::from(bytes(value)));
        }
        ColumnWriter::FixedLenByteArrayColumnWriter(writer) => {
            batch(writer, levels, values, |value| {
                FixedLenByteArray::from(ByteArray::from(bytes(value)))
            });
        }
    }
}

fn batch<T: DataType>(
    writer: &mut ColumnWriterImpl<'_, T>,
    (definition, repetition): (Option<&[i16]>, Option<&[i16]>),
    values: &[&Value],
    of: impl Fn(&Value) -> T::T,
) {
    let values: Vec<T::T> = values.iter().map(|value| of(value)).collect();
    writer.write_batch(&values, definition, repetition).expect("values");
}
