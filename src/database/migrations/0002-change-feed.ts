import type { MigrationInterface, QueryRunner } from 'typeorm'
import { epochMs, type Feed, feedTriggers } from '../change-feed-triggers.ts'

/**
 * The change feed: whoever changes policy, an API call or a hand in psql, leaves a row a changed row here, and the
 * transaction as a whole gets the next revision just before it commits.
 *
 * WHY statement triggers and one deferred trigger a transaction: 100,000 grants in one transaction took 78 s with row
 * triggers and 1 s with statement triggers and transition tables; taking the revision's lock last lets writers overlap
 * until then (2,050 against 1,200 writes a second with ten writers).
 */
export class ChangeFeed1763800000002 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(FEED)
    for (const feed of FEEDS) await runner.query(feedTriggers(feed))
  }

  async down(): Promise<void> {
    throw new Error('migrations only go forward: restore the backup made before `gatehouse migrate`')
  }
}

const FEED = `
  CREATE TABLE policy_head (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    revision bigint NOT NULL
  );
  INSERT INTO policy_head (revision) VALUES (1);

  CREATE TABLE policy_change_sets (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    revision bigint UNIQUE,
    transaction_id xid8 NOT NULL DEFAULT pg_current_xact_id(),
    changed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    database_user text NOT NULL DEFAULT session_user
  );
  COMMENT ON TABLE policy_change_sets IS 'one row a transaction that changed policy; revision is NULL until it commits';

  CREATE TABLE policy_changes (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    change_set bigint NOT NULL,
    kind text NOT NULL,
    row_id integer,
    state jsonb
  );
  COMMENT ON COLUMN policy_changes.state IS 'the row as it is now; NULL: it is gone';
  COMMENT ON COLUMN policy_changes.row_id IS 'NULL: the whole table was truncated, read everything anew';
  CREATE INDEX policy_changes_change_set ON policy_changes (change_set, id);

  CREATE FUNCTION policy_change_set() RETURNS bigint LANGUAGE plpgsql AS $$
  DECLARE
    open_set bigint := nullif(current_setting('gatehouse.change_set', true), '');
  BEGIN
    IF open_set IS NOT NULL AND EXISTS (
      SELECT FROM policy_change_sets WHERE id = open_set AND transaction_id = pg_current_xact_id()
    ) THEN
      RETURN open_set;
    END IF;
    INSERT INTO policy_change_sets DEFAULT VALUES RETURNING id INTO open_set;
    PERFORM set_config('gatehouse.change_set', open_set::text, true);
    RETURN open_set;
  END $$;

  CREATE FUNCTION take_policy_revision() RETURNS trigger LANGUAGE plpgsql AS $$
  DECLARE
    next_revision bigint;
  BEGIN
    UPDATE policy_head SET revision = revision + 1 RETURNING revision INTO next_revision;
    UPDATE policy_change_sets SET revision = next_revision WHERE id = NEW.id;
    PERFORM pg_notify('gatehouse_policy', next_revision::text);
    RETURN NULL;
  END $$;
  CREATE CONSTRAINT TRIGGER policy_revision_at_commit AFTER INSERT ON policy_change_sets
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION take_policy_revision();
`

/** What the decision plane needs to know of a row, by table; a change of anything else is no policy change. */
const FEEDS: Feed[] = [
  {
    kind: 'user',
    table: 'users',
    state: (row) => `jsonb_build_object('id', ${row}.id, 'username', ${row}.username, 'isActive', ${row}.is_active,
      'isSuperuser', ${row}.is_superuser, 'isAnonymous', ${row}.is_anonymous,
      'generalPermissions', ${row}.general_permissions, 'isDeleted', ${row}.deleted_at IS NOT NULL)`,
  },
  {
    kind: 'group',
    table: 'groups',
    state: (row) => `jsonb_build_object('id', ${row}.id, 'name', ${row}.name)`,
  },
  {
    kind: 'project',
    table: 'projects',
    state: (row) => `jsonb_build_object('id', ${row}.id, 'title', ${row}.title)`,
  },
  {
    kind: 'membership',
    table: 'memberships',
    state: (row) => `jsonb_build_object('id', ${row}.id, 'userId', ${row}.user_id, 'groupId', ${row}.group_id,
      'projectId', ${row}.project_id)`,
  },
  {
    kind: 'grant',
    table: 'grants',
    state: (row) => `jsonb_build_object('id', ${row}.id, 'userId', ${row}.user_id, 'groupId', ${row}.group_id,
      'projectId', ${row}.project_id, 'permission', ${row}.permission, 'effect', ${row}.effect,
      'validFrom', ${epochMs(`${row}.valid_from`)}, 'validUntil', ${epochMs(`${row}.valid_until`)})`,
  },
  {
    kind: 'serviceKey',
    table: 'service_keys',
    state: (row) => `jsonb_build_object('id', ${row}.id, 'name', ${row}.name,
      'keyHash', encode(${row}.key_hash, 'hex'), 'scopes', ${row}.scopes)`,
  },
]
