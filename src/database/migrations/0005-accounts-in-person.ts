import type { MigrationInterface, QueryRunner } from 'typeorm'
import { epochMs, type Feed, feedTriggers } from '../change-feed-triggers.ts'

/**
 * What accounts need that people use themselves: sessions, one-time tokens, API tokens, signing keys, the outbox of
 * mails, throttles, and what was asked for and is done after the answer.
 *
 * API tokens, signing keys (their public half) and the ends of sessions are in the change feed, so that every replica
 * knows a revoked credential as soon as it knows a revoked grant.
 */
export class AccountsInPerson1763800000005 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(USERS)
    await runner.query(SESSIONS)
    await runner.query(API_TOKENS)
    await runner.query(WORK)
    await runner.query(PROFILES)
    for (const feed of FEEDS) await runner.query(feedTriggers(feed))
  }

  async down(): Promise<void> {
    throw new Error('migrations only go forward: restore the backup made before `gatehouse migrate`')
  }
}

const USERS = `
  ALTER TABLE users
    ADD email_confirmed_at timestamptz,
    ADD deactivation_message text,
    ADD terms_version text,
    ADD terms_accepted_at timestamptz,
    DROP CONSTRAINT users_deactivation_reason_check,
    ADD CONSTRAINT users_deactivation_reason_check
      CHECK (deactivation_reason IN ('import', 'admin', 'unconfirmed', 'inactivity')),
    ADD CHECK ((terms_version IS NULL) = (terms_accepted_at IS NULL));
  COMMENT ON COLUMN users.email_confirmed_at IS 'when the owner of the present address last proved to be it';
  CREATE INDEX users_username_spelling ON users (lower(username COLLATE "default"));
  CREATE INDEX users_email_spelling ON users (lower(email)) WHERE email <> '';

  CREATE TABLE account_activity (
    user_id integer PRIMARY KEY REFERENCES users ON DELETE CASCADE ON UPDATE CASCADE,
    token_used_at timestamptz,
    refreshed_at timestamptz,
    reactivated_at timestamptz
  );
  COMMENT ON TABLE account_activity IS 'what counts as activity beside users.last_login_at; written in batches';

  CREATE TABLE one_time_tokens (
    token_hash bytea PRIMARY KEY CHECK (octet_length(token_hash) = 32),
    purpose text NOT NULL CHECK (purpose IN ('email-confirmation', 'email-change', 'password-reset')),
    user_id integer NOT NULL REFERENCES users ON DELETE CASCADE ON UPDATE CASCADE,
    address text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    used_at timestamptz
  );
  COMMENT ON COLUMN one_time_tokens.address IS 'the address that the token was sent to; it proves no other';
  CREATE INDEX one_time_tokens_user ON one_time_tokens (user_id, purpose);

  CREATE FUNCTION forget_what_no_longer_holds() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    IF NEW.email IS DISTINCT FROM OLD.email AND NEW.email_confirmed_at IS NOT DISTINCT FROM OLD.email_confirmed_at THEN
      NEW.email_confirmed_at := NULL;
    END IF;
    IF NEW.is_active THEN
      NEW.deactivation_message := NULL;
    END IF;
    IF NEW.deleted_at IS NOT NULL THEN
      NEW.email_confirmed_at := NULL;
      NEW.deactivation_message := NULL;
      NEW.terms_version := NULL;
      NEW.terms_accepted_at := NULL;
    END IF;
    RETURN NEW;
  END $$;
  CREATE TRIGGER users_consistency BEFORE UPDATE ON users
    FOR EACH ROW EXECUTE FUNCTION forget_what_no_longer_holds();

  CREATE FUNCTION end_tokens_of_old_address() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    DELETE FROM one_time_tokens WHERE user_id = NEW.id;
    RETURN NULL;
  END $$;
  CREATE TRIGGER users_new_address AFTER UPDATE OF email ON users
    FOR EACH ROW WHEN (OLD.email IS DISTINCT FROM NEW.email) EXECUTE FUNCTION end_tokens_of_old_address();

  CREATE FUNCTION note_reactivation() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    INSERT INTO account_activity (user_id, reactivated_at) VALUES (NEW.id, now())
      ON CONFLICT (user_id) DO UPDATE SET reactivated_at = excluded.reactivated_at;
    RETURN NULL;
  END $$;
  CREATE TRIGGER users_reactivation AFTER UPDATE OF is_active ON users
    FOR EACH ROW WHEN (NEW.is_active AND NOT OLD.is_active) EXECUTE FUNCTION note_reactivation();
`

const SESSIONS = `
  CREATE TABLE sessions (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id integer NOT NULL REFERENCES users ON DELETE CASCADE ON UPDATE CASCADE,
    secret bytea NOT NULL CHECK (octet_length(secret) = 32),
    device_name text NOT NULL DEFAULT '',
    network text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    authenticated_at timestamptz NOT NULL DEFAULT now(),
    last_used_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL
  );
  COMMENT ON COLUMN sessions.secret IS 'makes the next refresh token from the one before; see refresh-token.ts';
  COMMENT ON COLUMN sessions.network IS 'IPv4 address or IPv6 /64 of the login';
  COMMENT ON COLUMN sessions.authenticated_at IS 'when the password was last given';
  CREATE INDEX sessions_user ON sessions (user_id);
  CREATE TABLE ended_sessions (
    id integer PRIMARY KEY REFERENCES sessions ON DELETE CASCADE,
    ended_at timestamptz NOT NULL DEFAULT now(),
    reason text NOT NULL
  );
  CREATE INDEX ended_sessions_time ON ended_sessions (ended_at);
  CREATE TABLE refresh_tokens (
    token_hash bytea PRIMARY KEY CHECK (octet_length(token_hash) = 32),
    session_id integer NOT NULL REFERENCES sessions ON DELETE CASCADE,
    expires_at timestamptz NOT NULL,
    used_at timestamptz
  );
  CREATE INDEX refresh_tokens_session ON refresh_tokens (session_id);

  CREATE FUNCTION end_access_of_inactive() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    INSERT INTO ended_sessions (id, reason) SELECT id, 'deactivation' FROM sessions WHERE user_id = NEW.id
      ON CONFLICT DO NOTHING;
    DELETE FROM one_time_tokens WHERE user_id = NEW.id;
    RETURN NULL;
  END $$;
  CREATE TRIGGER users_deactivation AFTER UPDATE OF is_active ON users
    FOR EACH ROW WHEN (OLD.is_active AND NOT NEW.is_active) EXECUTE FUNCTION end_access_of_inactive();

  CREATE TABLE signing_keys (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kid text NOT NULL UNIQUE,
    public_key jsonb NOT NULL,
    private_key text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    active_from timestamptz NOT NULL,
    published_until timestamptz
  );
  COMMENT ON COLUMN signing_keys.kid IS 'thumbprint of the key (RFC 7638)';
  COMMENT ON COLUMN signing_keys.private_key IS 'Ed25519, PKCS #8 as PEM; never in the change feed';
`

const API_TOKENS = `
  ALTER TABLE api_tokens
    ADD scopes text[] NOT NULL DEFAULT '{check,account,projects}'
      CHECK (scopes <@ ARRAY['check', 'account', 'projects', 'admin'] AND cardinality(scopes) > 0),
    ADD token_start text NOT NULL DEFAULT '',
    ADD token_end text NOT NULL DEFAULT '',
    ADD expires_at timestamptz,
    ADD reminded_at timestamptz,
    ADD last_used_at timestamptz;
  ALTER TABLE api_tokens ALTER scopes DROP DEFAULT;
  COMMENT ON COLUMN api_tokens.reminded_at IS 'when its end was announced, or somebody brought it about; NULL: not yet';
  COMMENT ON COLUMN api_tokens.token_start IS 'first characters of the token, to recognise it by; empty where imported';
`

const WORK = `
  CREATE TABLE throttles (
    key text COLLATE "C" PRIMARY KEY,
    count integer NOT NULL,
    first_at timestamptz NOT NULL,
    last_at timestamptz NOT NULL
  );
  COMMENT ON COLUMN throttles.key IS '<what>:<hash of whom>, for instance login:<SHA-256 of the login as it was sent>';
  CREATE INDEX throttles_last ON throttles (last_at);

  CREATE FUNCTION throttle_state(rules jsonb, OUT key text, OUT count integer, OUT last_at timestamptz,
      OUT "limit" integer, OUT free integer, OUT longest double precision, OUT forgotten timestamptz)
    RETURNS SETOF record LANGUAGE sql AS $$
    SELECT t.key, t.count, t.last_at, r."limit", r.free, r.longest,
        CASE WHEN r."window" IS NULL THEN t.last_at + make_interval(secs => r.memory)
          ELSE t.first_at + make_interval(secs => r."window") END
      FROM throttles t JOIN jsonb_to_recordset(rules) AS r (key text, "limit" integer, free integer,
        longest double precision, "window" double precision, memory double precision) ON t.key = r.key
  $$;
  CREATE FUNCTION take_turns(rules jsonb) RETURNS double precision LANGUAGE plpgsql AS $$
  DECLARE
    moment timestamptz;
    wait double precision;
  BEGIN
    -- Who has to wait anyway shall not fill the table with counters.
    moment := clock_timestamp();
    SELECT max(extract(epoch FROM forgotten - moment)) INTO wait FROM throttle_state(rules)
      WHERE count >= "limit" AND moment < forgotten;
    IF wait > 0 THEN
      RETURN wait;
    END IF;
    INSERT INTO throttles (key, count, first_at, last_at)
      SELECT key, 0, clock_timestamp(), clock_timestamp() FROM jsonb_to_recordset(rules) AS rule (key text)
      ORDER BY key COLLATE "C" ON CONFLICT DO NOTHING;
    PERFORM FROM throttles WHERE key IN (SELECT rule.key FROM jsonb_to_recordset(rules) AS rule (key text))
      ORDER BY key FOR UPDATE;
    moment := clock_timestamp();
    SELECT max(extract(epoch FROM CASE
        WHEN moment >= forgotten THEN interval '0'
        WHEN count >= "limit" THEN forgotten - moment
        WHEN count >= free THEN last_at + make_interval(secs => least(longest, power(2, count - free))) - moment
        ELSE interval '0' END))
      INTO wait FROM throttle_state(rules);
    IF wait > 0 THEN
      RETURN wait;
    END IF;
    UPDATE throttles SET last_at = moment, count = CASE WHEN moment >= forgotten THEN 1 ELSE state.count + 1 END,
        first_at = CASE WHEN moment >= forgotten OR state.count = 0 THEN moment ELSE throttles.first_at END
      FROM throttle_state(rules) AS state WHERE throttles.key = state.key;
    RETURN 0;
  END $$;
  COMMENT ON FUNCTION take_turns IS
    'counts one more for every key if all of them have room, and then gives 0; otherwise the seconds to wait';

  CREATE TABLE account_requests (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('registration', 'confirmation-resend', 'password-reset')),
    body jsonb NOT NULL,
    request_id text,
    requested_at timestamptz NOT NULL DEFAULT now()
  );
  COMMENT ON TABLE account_requests IS 'asked for and done after the answer, so that no answer tells who has an account';

  CREATE TABLE mail_outbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    message_id text NOT NULL UNIQUE,
    kind text NOT NULL,
    user_id integer REFERENCES users ON DELETE SET NULL ON UPDATE CASCADE,
    recipient text NOT NULL,
    reply_to text,
    subject text NOT NULL,
    body text,
    state text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'sent', 'failed', 'cancelled')),
    attempts integer NOT NULL DEFAULT 0,
    next_attempt_at timestamptz NOT NULL DEFAULT now(),
    last_answer text,
    queued_at timestamptz NOT NULL DEFAULT now(),
    settled_at timestamptz,
    CHECK (state NOT IN ('queued', 'failed') OR body IS NOT NULL)
  );
  COMMENT ON COLUMN mail_outbox.body IS 'emptied once sent or cancelled: it may hold a link that opens an account';
  CREATE INDEX mail_outbox_due ON mail_outbox (next_attempt_at) WHERE state = 'queued';
  CREATE INDEX mail_outbox_failed ON mail_outbox (id) WHERE state = 'failed';
  CREATE INDEX mail_outbox_recipient ON mail_outbox (recipient, id);
  CREATE INDEX mail_outbox_user ON mail_outbox (user_id) WHERE user_id IS NOT NULL;
`

const PROFILES = `
  CREATE TABLE profile_defaults (
    name text COLLATE "C" PRIMARY KEY,
    value jsonb NOT NULL
  );
  COMMENT ON TABLE profile_defaults IS 'defaults that beat those of the catalogue';
`

const FEEDS: Feed[] = [
  {
    kind: 'apiToken',
    table: 'api_tokens',
    state: (row) => `jsonb_build_object('id', ${row}.id, 'userId', ${row}.user_id,
      'tokenHash', encode(${row}.token_hash, 'hex'), 'scopes', ${row}.scopes,
      'expiresAt', ${epochMs(`${row}.expires_at`)})`,
  },
  {
    kind: 'signingKey',
    table: 'signing_keys',
    state: (row) => `jsonb_build_object('id', ${row}.id, 'kid', ${row}.kid, 'publicKey', ${row}.public_key,
      'activeFrom', ${epochMs(`${row}.active_from`)}, 'publishedUntil', ${epochMs(`${row}.published_until`)})`,
  },
  {
    kind: 'endedSession',
    table: 'ended_sessions',
    state: (row) => `jsonb_build_object('id', ${row}.id, 'endedAt', ${epochMs(`${row}.ended_at`)})`,
  },
]
