-- The jobs of this role, with their last runs.
SELECT coalesce(json_agg(json_build_object(
         'jobname', j.jobname, 'schedule', j.schedule, 'active', j.active, 'command', j.command,
         'last_run', r.start_time, 'status', r.status, 'message', r.return_message) ORDER BY j.jobname), '[]')
  FROM (SELECT j.* FROM cron.job AS j
         WHERE j.database = current_database() AND starts_with(j.command, 'CALL trips.ingest_new(')
         ORDER BY j.jobname LIMIT 50) AS j
  LEFT JOIN LATERAL (
    SELECT r.start_time, r.status, r.return_message FROM cron.job_run_details AS r
     WHERE r.jobid = j.jobid ORDER BY r.runid DESC LIMIT 1) AS r ON true
