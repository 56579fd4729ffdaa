// The schema, as the steps that made it: a data directory of any age is brought up to date when it
// is opened, in one transaction.
//
// A step that has been released is never changed; what is new goes behind it. The number of steps
// that a database has taken is its user_version.
#include "store/store_internal.h"

static const char *const migrations[] = {
    // 1: keys, files, jobs with their events and checkpoints, models
    "CREATE TABLE keys (seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE NOT NULL,"
    " hash BLOB UNIQUE NOT NULL, account TEXT NOT NULL, name TEXT NOT NULL, hint TEXT NOT NULL,"
    " created_at INTEGER NOT NULL, revoked_at INTEGER NOT NULL DEFAULT 0);"
    "CREATE TABLE files (seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE NOT NULL,"
    " account TEXT NOT NULL, filename TEXT NOT NULL, purpose TEXT NOT NULL, status TEXT NOT NULL,"
    " status_details TEXT, bytes INTEGER NOT NULL, created_at INTEGER NOT NULL);"
    "CREATE INDEX files_of_account ON files (account, seq);"
    "CREATE TABLE jobs (seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE NOT NULL,"
    " account TEXT NOT NULL, model TEXT NOT NULL, training_file TEXT NOT NULL,"
    " validation_file TEXT, suffix TEXT, status TEXT NOT NULL, fine_tuned_model TEXT,"
    " hyperparameters TEXT, lora TEXT, metadata TEXT, result_files TEXT, error_code TEXT,"
    " error_message TEXT, error_param TEXT, seed INTEGER NOT NULL, created_at INTEGER NOT NULL,"
    " finished_at INTEGER NOT NULL DEFAULT 0, estimated_finish INTEGER NOT NULL DEFAULT 0,"
    " trained_tokens INTEGER NOT NULL DEFAULT 0, events_read INTEGER NOT NULL DEFAULT 0,"
    " last_step INTEGER NOT NULL DEFAULT 0, attempts INTEGER NOT NULL DEFAULT 0);"
    "CREATE INDEX jobs_of_account ON jobs (account, seq);"
    "CREATE TABLE events (seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE NOT NULL,"
    " job TEXT NOT NULL REFERENCES jobs (id), level TEXT NOT NULL, message TEXT NOT NULL,"
    " type TEXT NOT NULL, data TEXT, created_at INTEGER NOT NULL);"
    "CREATE INDEX events_of_job ON events (job, seq);"
    "CREATE TABLE checkpoints (seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE NOT NULL,"
    " job TEXT NOT NULL REFERENCES jobs (id), model TEXT NOT NULL, metrics TEXT NOT NULL,"
    " step INTEGER NOT NULL, created_at INTEGER NOT NULL, UNIQUE (job, step));"
    "CREATE TABLE models (seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL,"
    " account TEXT NOT NULL, base TEXT NOT NULL, adapter TEXT NOT NULL, checkpoint INTEGER NOT "
    "NULL,"
    " created INTEGER NOT NULL, UNIQUE (account, id));",
    // batches, and those of their requests that are not answered
    "CREATE TABLE batches (seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE NOT NULL,"
    " account TEXT NOT NULL, endpoint TEXT NOT NULL, input_file TEXT NOT NULL,"
    " completion_window TEXT NOT NULL, status TEXT NOT NULL, output_file TEXT, error_file TEXT,"
    " metadata TEXT, errors TEXT, model TEXT, callback_url TEXT, created_at INTEGER NOT NULL,"
    " in_progress_at INTEGER NOT NULL DEFAULT 0, expires_at INTEGER NOT NULL,"
    " finalizing_at INTEGER NOT NULL DEFAULT 0, completed_at INTEGER NOT NULL DEFAULT 0,"
    " failed_at INTEGER NOT NULL DEFAULT 0, expired_at INTEGER NOT NULL DEFAULT 0,"
    " cancelling_at INTEGER NOT NULL DEFAULT 0, cancelled_at INTEGER NOT NULL DEFAULT 0,"
    " total INTEGER NOT NULL DEFAULT 0, completed INTEGER NOT NULL DEFAULT 0,"
    " failed INTEGER NOT NULL DEFAULT 0, output_bytes INTEGER NOT NULL DEFAULT 0,"
    " error_bytes INTEGER NOT NULL DEFAULT 0, prompt_tokens INTEGER NOT NULL DEFAULT 0,"
    " answer_tokens INTEGER NOT NULL DEFAULT 0);"
    "CREATE INDEX batches_of_account ON batches (account, seq);"
    "CREATE TABLE batch_lines (batch TEXT NOT NULL REFERENCES batches (id), line INTEGER NOT NULL,"
    " offset INTEGER NOT NULL, length INTEGER NOT NULL, custom_id TEXT NOT NULL,"
    " PRIMARY KEY (batch, line), UNIQUE (batch, custom_id)) WITHOUT ROWID;",
    // uploads in parts; files that expire
    "CREATE TABLE uploads (seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE NOT NULL,"
    " account TEXT NOT NULL, filename TEXT NOT NULL, purpose TEXT NOT NULL,"
    " mime_type TEXT NOT NULL, status TEXT NOT NULL, file TEXT, bytes INTEGER NOT NULL,"
    " created_at INTEGER NOT NULL, expires_at INTEGER NOT NULL,"
    " file_expires_after INTEGER NOT NULL DEFAULT 0);"
    "CREATE TABLE upload_parts (seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE NOT NULL,"
    " upload TEXT NOT NULL REFERENCES uploads (id), bytes INTEGER NOT NULL,"
    " created_at INTEGER NOT NULL);"
    "CREATE INDEX parts_of_upload ON upload_parts (upload);"
    "ALTER TABLE files ADD COLUMN expires_at INTEGER NOT NULL DEFAULT 0;",
    // results of batches that expire
    "ALTER TABLE batches ADD COLUMN output_expires_after INTEGER NOT NULL DEFAULT 0;",
    // webhooks; the end of a job or a batch puts a line into the outbox, in its own transaction
    "CREATE TABLE webhook_endpoints (seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE NOT "
    "NULL,"
    " account TEXT NOT NULL, url TEXT NOT NULL, events TEXT NOT NULL, description TEXT,"
    " secret TEXT NOT NULL, disabled_reason TEXT, created_at INTEGER NOT NULL);"
    "CREATE INDEX endpoints_of_account ON webhook_endpoints (account, seq);"
    "CREATE TABLE webhook_secrets (account TEXT PRIMARY KEY, secret TEXT NOT NULL);"
    "CREATE TABLE webhook_outbox (seq INTEGER PRIMARY KEY AUTOINCREMENT, account TEXT NOT NULL,"
    " type TEXT NOT NULL, object TEXT NOT NULL, created_at INTEGER NOT NULL);"
    "CREATE TABLE webhook_deliveries (seq INTEGER PRIMARY KEY AUTOINCREMENT,"
    " id TEXT UNIQUE NOT NULL, account TEXT NOT NULL, endpoint TEXT, url TEXT NOT NULL,"
    " secret TEXT NOT NULL, event TEXT NOT NULL, type TEXT NOT NULL, body TEXT NOT NULL,"
    " status TEXT NOT NULL, response TEXT, created_at INTEGER NOT NULL,"
    " next_attempt_at INTEGER NOT NULL, last_attempt_at INTEGER NOT NULL DEFAULT 0,"
    " attempts INTEGER NOT NULL DEFAULT 0, response_status INTEGER NOT NULL DEFAULT 0);"
    "CREATE INDEX deliveries_of_endpoint ON webhook_deliveries (endpoint, seq);"
    "CREATE INDEX deliveries_due ON webhook_deliveries (status, next_attempt_at);"
    "CREATE TRIGGER job_ends AFTER UPDATE OF status ON jobs"
    " WHEN NEW.status IN ('succeeded', 'failed', 'cancelled') AND OLD.status <> NEW.status"
    " BEGIN INSERT INTO webhook_outbox (account, type, object, created_at) VALUES"
    " (NEW.account, 'fine_tuning.job.' || NEW.status, NEW.id, strftime('%s', 'now')); END;"
    "CREATE TRIGGER batch_ends AFTER UPDATE OF status ON batches"
    " WHEN NEW.status IN ('completed', 'failed', 'expired', 'cancelled')"
    " AND OLD.status <> NEW.status"
    " BEGIN INSERT INTO webhook_outbox (account, type, object, created_at) VALUES"
    " (NEW.account, 'batch.' || NEW.status, NEW.id, strftime('%s', 'now'));"
    " INSERT INTO webhook_outbox (account, type, object, created_at) SELECT"
    " NEW.account, 'callback', NEW.id, strftime('%s', 'now') WHERE NEW.callback_url IS NOT NULL;"
    " END;",
    // jobs that rest, and what they measured last
    "ALTER TABLE jobs ADD COLUMN resume_status TEXT; ALTER TABLE jobs ADD COLUMN metrics TEXT;",
    // accounts with plans, keys with scopes that expire
    "CREATE TABLE accounts (name TEXT PRIMARY KEY, plan TEXT, created_at INTEGER NOT NULL);"
    "ALTER TABLE keys ADD COLUMN scope TEXT NOT NULL DEFAULT 'all';"
    "ALTER TABLE keys ADD COLUMN expires_at INTEGER NOT NULL DEFAULT 0;",
    // sessions of browsers
    "CREATE TABLE sign_ins (hash BLOB PRIMARY KEY, account TEXT NOT NULL,"
    " expires_at INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE sessions (hash BLOB PRIMARY KEY, account TEXT NOT NULL, key TEXT,"
    " created_at INTEGER NOT NULL, expires_at INTEGER NOT NULL) WITHOUT ROWID;",
    // what answers used
    "CREATE TABLE usage (account TEXT NOT NULL, minute INTEGER NOT NULL, model TEXT NOT NULL,"
    " batch INTEGER NOT NULL, requests INTEGER NOT NULL, input_tokens INTEGER NOT NULL,"
    " output_tokens INTEGER NOT NULL, PRIMARY KEY (account, minute, model, batch)) WITHOUT ROWID;",
};

const char *const *store_migrations(size_t *count) {
    *count = sizeof migrations / sizeof migrations[0];
    return migrations;
}
