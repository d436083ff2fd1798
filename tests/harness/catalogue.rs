//! What the system catalogues say of the extension, as lines that can be compared.

use postgres::Client;

/// Kinds of members whose definitions the query below reads. A member of another kind would be
/// compared by its name and dependencies alone: it is refused instead.
const UNKNOWN: &str = "
    SELECT pg_describe_object(d.classid, d.objid, d.objsubid)
      FROM pg_depend AS d JOIN pg_extension AS e ON d.refobjid = e.oid AND d.deptype = 'e'
      LEFT JOIN pg_type AS t ON d.classid = 'pg_type'::regclass AND t.oid = d.objid
     WHERE e.extname = 'trips_pipeline' AND d.refclassid = 'pg_extension'::regclass
       AND d.classid NOT IN ('pg_namespace'::regclass, 'pg_class'::regclass, 'pg_proc'::regclass,
                             'pg_event_trigger'::regclass)
       AND (t.oid IS NULL OR t.typrelid = 0 AND t.typelem = 0)";

/// The members of the extension and all that hangs on them, each with its properties: dependencies,
/// comments, owners, privileges, and the definitions of functions, relations, columns, defaults,
/// constraints, indexes, rules, triggers and sequences. TOAST tables and the triggers of
/// foreign keys are named after oids: left out.
const LINES: &str = "
    WITH RECURSIVE part AS (
      SELECT d.classid, d.objid
        FROM pg_depend AS d JOIN pg_extension AS e ON d.refobjid = e.oid AND d.deptype = 'e'
       WHERE e.extname = 'trips_pipeline' AND d.refclassid = 'pg_extension'::regclass
      UNION
      SELECT d.classid, d.objid
        FROM part JOIN pg_depend AS d ON d.refclassid = part.classid AND d.refobjid = part.objid
       WHERE d.deptype IN ('a', 'i', 'P', 'S')
    ), object AS (
      SELECT part.classid, part.objid, pg_describe_object(part.classid, part.objid, 0) AS name
        FROM part LEFT JOIN pg_class AS c ON part.classid = 'pg_class'::regclass AND c.oid = part.objid
        LEFT JOIN pg_trigger AS t ON part.classid = 'pg_trigger'::regclass AND t.oid = part.objid
       WHERE c.relnamespace IS DISTINCT FROM 'pg_toast'::regnamespace AND t.tgisinternal IS NOT TRUE
    ), relation AS (
      SELECT o.name, c.* FROM object AS o JOIN pg_class AS c
          ON o.classid = 'pg_class'::regclass AND c.oid = o.objid
    ), acl AS (
      SELECT name, relowner AS owner, 'now' AS at, relacl AS acl FROM relation
      UNION ALL
      SELECT r.name || ' column ' || a.attname, 0, 'now', a.attacl
        FROM relation AS r JOIN pg_attribute AS a ON a.attrelid = r.oid
      UNION ALL
      SELECT o.name, p.proowner, 'now', p.proacl FROM object AS o JOIN pg_proc AS p
          ON o.classid = 'pg_proc'::regclass AND p.oid = o.objid
      UNION ALL
      SELECT o.name, n.nspowner, 'now', n.nspacl FROM object AS o JOIN pg_namespace AS n
          ON o.classid = 'pg_namespace'::regclass AND n.oid = o.objid
      UNION ALL
      SELECT o.name || ' ' || i.objsubid, 0, 'initially', i.initprivs
        FROM object AS o JOIN pg_init_privs AS i ON i.classoid = o.classid AND i.objoid = o.objid
    ), found (name, property) AS (
      SELECT name, 'is there' AS property FROM object
      UNION ALL
      SELECT format('%s %s', o.name, d.objsubid),
             format('depends (%s) on %s', d.deptype,
                    pg_describe_object(d.refclassid, d.refobjid, d.refobjsubid))
        FROM object AS o JOIN pg_depend AS d ON d.classid = o.classid AND d.objid = o.objid
      UNION ALL
      SELECT pg_describe_object(c.classoid, c.objoid, c.objsubid), 'comment: ' || c.description
        FROM object AS o JOIN pg_description AS c ON c.classoid = o.classid AND c.objoid = o.objid
      UNION ALL
      SELECT name, 'owner: ' || pg_get_userbyid(owner) FROM acl WHERE owner <> 0
      UNION ALL
      SELECT name, format('acl %s: %s to %s by %s, grant option %s', at, a.privilege_type,
                          a.grantee::regrole, a.grantor::regrole, a.is_grantable)
        FROM acl, aclexplode(acl.acl) AS a
      UNION ALL
      SELECT name, format('acl %s: not the default', at) FROM acl WHERE acl.acl IS NOT NULL
      UNION ALL
      SELECT o.name, format('support %s, cost %s: %s', p.prosupport, p.procost, pg_get_functiondef(p.oid))
        FROM object AS o JOIN pg_proc AS p ON o.classid = 'pg_proc'::regclass AND p.oid = o.objid
      UNION ALL
      SELECT r.name, format('relation: %s', row(r.relkind, r.relpersistence, r.reloptions, r.relreplident,
               r.relrowsecurity, r.relforcerowsecurity, r.relispopulated, m.amname,
               pg_get_partkeydef(r.oid), pg_get_viewdef(r.oid)))
        FROM relation AS r LEFT JOIN pg_am AS m ON m.oid = r.relam
      UNION ALL
      SELECT r.name, format('column %s: %s', row_number() OVER (PARTITION BY r.oid ORDER BY a.attnum),
               row(a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity,
                   a.attgenerated, a.attstorage, a.attcompression, a.attcollation::regcollation,
                   -- Without the stamp that some builds of PostgreSQL give each column.
                   ARRAY(SELECT o FROM unnest(a.attoptions) AS o WHERE o NOT LIKE 'pg_attver=%'),
                   pg_get_expr(d.adbin, d.adrelid)))
        FROM relation AS r JOIN pg_attribute AS a
          ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
        LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
      UNION ALL
      SELECT r.name, format('constraint: %s', row(c.conname, pg_get_constraintdef(c.oid), c.convalidated))
        FROM relation AS r JOIN pg_constraint AS c ON c.conrelid = r.oid
      UNION ALL
      SELECT r.name, format('index: %s', row(pg_get_indexdef(i.indexrelid), i.indisvalid,
                                             i.indisprimary, i.indisreplident, i.indisclustered))
        FROM relation AS r JOIN pg_index AS i ON i.indrelid = r.oid
      UNION ALL
      SELECT r.name, format('rule: %s', row(w.ev_enabled, pg_get_ruledef(w.oid)))
        FROM relation AS r JOIN pg_rewrite AS w ON w.ev_class = r.oid
      UNION ALL
      SELECT r.name, format('trigger: %s', row(t.tgenabled, pg_get_triggerdef(t.oid)))
        FROM relation AS r JOIN pg_trigger AS t ON t.tgrelid = r.oid AND NOT t.tgisinternal
      UNION ALL
      SELECT o.name, format('event trigger: %s', row(t.evtevent, t.evtenabled, t.evttags, t.evtfoid::regproc))
        FROM object AS o JOIN pg_event_trigger AS t ON o.classid = 'pg_event_trigger'::regclass AND t.oid = o.objid
      UNION ALL
      SELECT r.name, format('sequence: %s', row(s.seqtypid::regtype, s.seqstart, s.seqincrement,
                                                s.seqmax, s.seqmin, s.seqcache, s.seqcycle))
        FROM relation AS r JOIN pg_sequence AS s ON s.seqrelid = r.oid
      UNION ALL
      SELECT 'extension', format('version %s, schema %s, relocatable %s', extversion,
                                 extnamespace::regnamespace, extrelocatable)
        FROM pg_extension WHERE extname = 'trips_pipeline'
      UNION ALL
      SELECT 'extension', format('pg_dump carries %s where %L', c.oid::regclass, c.condition)
        FROM pg_extension, unnest(extconfig, extcondition) AS c (oid, condition)
       WHERE extname = 'trips_pipeline'
    )
    SELECT l.line FROM (SELECT name || ' | ' || property AS line FROM found) AS l
     ORDER BY l.line COLLATE \"C\"";

/// Everything that the catalogues of this database say of the extension, in order.
///
/// # Panics
/// When the extension has members of a kind that is not looked at.
pub fn catalogue(client: &mut Client) -> Vec<String> {
    client.batch_execute("SET search_path = pg_catalog").expect("a setting");
    let mut lines = |query| -> Vec<String> {
        let rows = client.query(query, &[]).expect("the catalogues");
        rows.iter().map(|row| row.get(0)).collect()
    };
    assert_eq!(lines(UNKNOWN), Vec::<String>::new(), "teach tests/harness/catalogue.rs to read it");
    lines(LINES)
}
