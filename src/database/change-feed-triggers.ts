/** How a table reaches the change feed: `state` gives SQL for what the decision plane knows of a row, by its alias. */
export type Feed = { kind: string; table: string; state: (row: string) => string }

/** SQL for a time as epoch milliseconds. */
export const epochMs = (column: string): string => `(extract(epoch FROM ${column}) * 1000)::bigint`

/**
 * SQL of one function and four statement triggers for a table, for a migration to run; an update that leaves the state
 * as it was records nothing.
 */
export function feedTriggers({ kind, table, state }: Feed): string {
  const record = (changed: string) => `
        IF EXISTS (${changed}) THEN
          open_set := policy_change_set();
          INSERT INTO policy_changes (change_set, kind, row_id, state)
            SELECT open_set, '${kind}', changed.* FROM (${changed}) changed;
        END IF;`
  return `
    CREATE FUNCTION record_${table}_changes() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
      open_set bigint;
    BEGIN
      IF TG_OP = 'INSERT' THEN
        ${record(`SELECT n.id, ${state('n')} FROM new_rows n`)}
      ELSIF TG_OP = 'UPDATE' THEN
        ${record(`SELECT o.id, NULL::jsonb FROM old_rows o
          WHERE NOT EXISTS (SELECT FROM new_rows n WHERE n.id = o.id)
          UNION ALL SELECT n.id, ${state('n')} FROM new_rows n LEFT JOIN old_rows o ON o.id = n.id
          WHERE o.id IS NULL OR ${state('n')} <> ${state('o')}`)}
      ELSIF TG_OP = 'DELETE' THEN
        ${record('SELECT o.id, NULL::jsonb FROM old_rows o')}
      ELSE
        ${record('SELECT NULL::integer, NULL::jsonb')}
      END IF;
      RETURN NULL;
    END $$;
    CREATE TRIGGER ${table}_insert_feed AFTER INSERT ON ${table} REFERENCING NEW TABLE AS new_rows
      FOR EACH STATEMENT EXECUTE FUNCTION record_${table}_changes();
    CREATE TRIGGER ${table}_update_feed AFTER UPDATE ON ${table} REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
      FOR EACH STATEMENT EXECUTE FUNCTION record_${table}_changes();
    CREATE TRIGGER ${table}_delete_feed AFTER DELETE ON ${table} REFERENCING OLD TABLE AS old_rows
      FOR EACH STATEMENT EXECUTE FUNCTION record_${table}_changes();
    CREATE TRIGGER ${table}_truncate_feed AFTER TRUNCATE ON ${table}
      FOR EACH STATEMENT EXECUTE FUNCTION record_${table}_changes();
  `
}
