-- The tables of uploads: what readers outside of the server have sent so far.

-- Clients upload a file in parts, each in its own transaction. The tables are unlogged: a client still has the file
-- until the upload is complete, and a crash empties both tables.
CREATE UNLOGGED TABLE trips.uploads (
  load_id        bigint      NOT NULL,
  source         text        NOT NULL,
  digest         bytea       NOT NULL,
  bytes          bigint      NOT NULL,
  reader_options text        NOT NULL,
  requested_by   text        NOT NULL,
  requested_at   timestamptz NOT NULL,
  role           oid         NOT NULL,
  on_change      text,
  CONSTRAINT uploads_pkey PRIMARY KEY (load_id),
  -- By role: an abandoned upload does not keep other roles from uploading the same file.
  CONSTRAINT uploads_digest_key UNIQUE (digest, role),
  CONSTRAINT uploads_digest_check CHECK (pg_catalog.octet_length(digest) = 32),
  CONSTRAINT uploads_bytes_check CHECK (bytes >= 0)
);
COMMENT ON TABLE trips.uploads IS 'Open uploads: files that clients send in parts';
COMMENT ON COLUMN trips.uploads.load_id IS 'Number that the load will have in trips.loads';
COMMENT ON COLUMN trips.uploads.source IS 'Path or address of the file, as given by the client';
COMMENT ON COLUMN trips.uploads.digest IS 'BLAKE3 of the file, 32 bytes, as given by the client';
COMMENT ON COLUMN trips.uploads.bytes IS 'Size of the file in bytes';
COMMENT ON COLUMN trips.uploads.reader_options IS
  'Options by which the client splits and checks the file; all parts of an upload have the same';
COMMENT ON COLUMN trips.uploads.requested_by IS 'Name of the role that created the upload, at that time';
COMMENT ON COLUMN trips.uploads.requested_at IS 'Time when the upload was created';
COMMENT ON COLUMN trips.uploads.role IS 'OID of the role that created the upload; its members may continue it';
COMMENT ON COLUMN trips.uploads.on_change IS
  'Argument on_change of trips.create_upload(); NULL for the policy of the feed';

CREATE UNLOGGED TABLE trips.upload_parts (
  load_id          bigint NOT NULL,
  first_byte       bigint NOT NULL,
  bytes            bigint NOT NULL,
  rows_read        bigint NOT NULL,
  rows_rejected    bigint NOT NULL,
  of_content       bigint,
  content          bytea  NOT NULL,
  -- A repeated task has no effect: a second part with the same offset is not stored.
  CONSTRAINT upload_parts_pkey PRIMARY KEY (load_id, first_byte),
  CONSTRAINT upload_parts_load_id_fkey FOREIGN KEY (load_id) REFERENCES trips.uploads (load_id),
  CONSTRAINT upload_parts_counts_check CHECK (
    first_byte >= 0 AND bytes > 0 AND rows_read >= rows_rejected AND rows_rejected >= 0
    AND first_byte + bytes <= of_content)
);
-- It is written once and read once; compression would cost more than the space it saves.
ALTER TABLE trips.upload_parts ALTER COLUMN content SET STORAGE EXTERNAL;
COMMENT ON TABLE trips.upload_parts IS 'Stored parts of trips.uploads';
COMMENT ON COLUMN trips.upload_parts.load_id IS 'Number of the upload in trips.uploads';
COMMENT ON COLUMN trips.upload_parts.first_byte IS 'Offset of the part in the file, in bytes; of a packed file or Parquet, in its content';
COMMENT ON COLUMN trips.upload_parts.bytes IS 'Size of the part in the file or its content, in bytes; in Parquet, number of rows, one more with the first row';
COMMENT ON COLUMN trips.upload_parts.rows_read IS 'Number of records in the part';
COMMENT ON COLUMN trips.upload_parts.rows_rejected IS 'Number of rejected records in the part';
COMMENT ON COLUMN trips.upload_parts.of_content IS
  'Size of the whole content, if offsets are not those of the bytes of the file; otherwise NULL';
COMMENT ON COLUMN trips.upload_parts.content IS 'Trips and rejected records, as encoded by trips_reader';
