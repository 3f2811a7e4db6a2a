import type { MigrationInterface, QueryRunner } from 'typeorm'

/**
 * Marks, by which a revision is told from another of the same number. A database that fails over to a copy, or is
 * restored from a backup, may have lost its last revisions and then gives their numbers anew; who has seen the lost ones
 * notices by the mark. Each change set names the mark that it follows, so the chain can be followed after the older ones
 * were removed.
 */
export class RevisionMarks1763800000007 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE policy_change_sets
        ADD mark uuid NOT NULL DEFAULT gen_random_uuid(),
        ADD follows uuid;
      COMMENT ON COLUMN policy_change_sets.follows IS 'mark of the revision before; NULL: older than the marks';

      ALTER TABLE policy_head
        ADD mark uuid NOT NULL DEFAULT gen_random_uuid(),
        ADD mark_before uuid,
        ADD lost_after bigint,
        ADD lost_up_to bigint;
      UPDATE policy_head SET mark = last.mark
        FROM policy_change_sets last WHERE last.revision = policy_head.revision;
      COMMENT ON COLUMN policy_head.lost_up_to IS
        'revisions above lost_after up to this one were seen by a replica and then lost by the database';

      CREATE OR REPLACE FUNCTION take_policy_revision() RETURNS trigger LANGUAGE plpgsql AS $$
      DECLARE
        next_revision bigint;
        followed uuid;
      BEGIN
        UPDATE policy_head AS head SET revision = head.revision + 1, mark_before = head.mark, mark = NEW.mark
          RETURNING head.revision, head.mark_before INTO next_revision, followed;
        UPDATE policy_change_sets SET revision = next_revision, follows = followed WHERE id = NEW.id;
        PERFORM pg_notify('gatehouse_policy', next_revision::text);
        RETURN NULL;
      END $$;
    `)
  }

  async down(): Promise<void> {
    throw new Error('migrations only go forward: restore the backup made before `gatehouse migrate`')
  }
}
