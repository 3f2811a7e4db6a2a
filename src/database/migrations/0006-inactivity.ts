import type { MigrationInterface, QueryRunner } from 'typeorm'

/** What the deactivation of unused accounts needs beside the periods themselves: exemptions, runs, warnings. */
export class Inactivity1763800000006 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE FUNCTION exact_interval(period interval) RETURNS interval LANGUAGE sql IMMUTABLE STRICT AS $$
        SELECT ((extract(epoch FROM period) - extract(year FROM period) * 453600) * 1000000)::bigint
          * interval '1 microsecond'
      $$;
      COMMENT ON FUNCTION exact_interval IS
        'the same length in hours and less, months as 30 days: added to a time, no calendar and no time zone comes in';

      ALTER TABLE inactivity_periods
        ADD warn_before interval[] NOT NULL DEFAULT '{}',
        ADD enabled boolean NOT NULL DEFAULT true;

      -- Runs ask for each account whether another superuser stays.
      CREATE INDEX users_superusers ON users (id) WHERE is_superuser;

      CREATE TABLE inactivity_exemptions (
        user_id integer PRIMARY KEY REFERENCES users ON DELETE CASCADE ON UPDATE CASCADE,
        reason text NOT NULL,
        exempt_until timestamptz,
        created_at timestamptz NOT NULL DEFAULT now(),
        created_by text NOT NULL
      );

      CREATE TABLE inactivity_runs (
        id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        state text NOT NULL CHECK (state IN ('running', 'needs-approval', 'done', 'interrupted', 'lapsed', 'undone')),
        caller text NOT NULL,
        scheduled_for timestamptz UNIQUE,
        looked_at timestamptz NOT NULL,
        started_at timestamptz NOT NULL DEFAULT now(),
        ended_at timestamptz,
        active_accounts integer NOT NULL,
        warned integer NOT NULL DEFAULT 0,
        approved_by text,
        approved_at timestamptz,
        undone_by text,
        undone_at timestamptz
      );
      COMMENT ON COLUMN inactivity_runs.looked_at IS 'the instant at which it was decided who is due';
      COMMENT ON COLUMN inactivity_runs.scheduled_for IS 'the instant of the schedule: one run for each, on all replicas';

      CREATE TABLE inactivity_run_accounts (
        run_id integer NOT NULL REFERENCES inactivity_runs ON DELETE CASCADE,
        user_id integer NOT NULL REFERENCES users ON DELETE CASCADE ON UPDATE CASCADE,
        state text NOT NULL DEFAULT 'due' CHECK (state IN ('due', 'deactivated', 'left', 'reactivated')),
        period_id integer REFERENCES inactivity_periods ON DELETE SET NULL ON UPDATE CASCADE,
        max_inactivity interval NOT NULL,
        last_activity_at timestamptz NOT NULL,
        deactivated_at timestamptz,
        PRIMARY KEY (run_id, user_id)
      );
      CREATE INDEX inactivity_run_accounts_user ON inactivity_run_accounts (user_id);
      CREATE INDEX inactivity_run_accounts_due ON inactivity_run_accounts (run_id, user_id) WHERE state = 'due';

      CREATE TABLE inactivity_warnings (
        user_id integer NOT NULL REFERENCES users ON DELETE CASCADE ON UPDATE CASCADE,
        last_activity_at timestamptz NOT NULL,
        warn_before interval NOT NULL,
        warned_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (user_id, last_activity_at, warn_before)
      );
      COMMENT ON TABLE inactivity_warnings IS 'each warning once for each time without activity: new activity begins anew';
    `)
  }

  async down(): Promise<void> {
    throw new Error('migrations only go forward: restore the backup made before `gatehouse migrate`')
  }
}
