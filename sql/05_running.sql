-- What tells of loads, and what starts them.

CREATE FUNCTION trips.events_since(seq bigint) RETURNS SETOF trips.events
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
  SELECT e.*
    FROM trips.events AS e
   WHERE e.seq > events_since.seq
   ORDER BY e.seq;
END;
COMMENT ON FUNCTION trips.events_since(bigint) IS
  'The events after this number, in order, for who has not listened all the time: SELECT * FROM trips.events_since(0)';
