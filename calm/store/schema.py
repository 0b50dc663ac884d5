"""The store's tables, as numbered migrations: each brings the version before it up by one.

A migration that has been released is never edited; a change is a new one at the end.
`PRAGMA user_version` holds how many were applied, `application_id` says that the file is ours.
"""

from __future__ import annotations

APPLICATION_ID = 0x43414C4D  # "CALM"

MIGRATIONS: tuple[str, ...] = (
    """
    -- What questions have in common: all of an answer's key but the text and the sample number.
    CREATE TABLE contexts (
        id INTEGER PRIMARY KEY,
        hash TEXT NOT NULL UNIQUE,       -- of the columns below
        kind TEXT NOT NULL,              -- judge | decompose
        task TEXT NOT NULL,
        mode TEXT NOT NULL,
        subgoals TEXT NOT NULL,          -- JSON [[name, definition], ...]
        template TEXT NOT NULL,          -- name, for people
        prompt TEXT NOT NULL,            -- hash of the prompt without the transition
        model TEXT NOT NULL,
        params TEXT NOT NULL             -- JSON, sampling parameters
    );
    CREATE TABLE texts (
        id INTEGER PRIMARY KEY,
        hash BLOB NOT NULL UNIQUE,
        text TEXT NOT NULL
    );
    -- Every attempt to get an answer, failed ones included: what was paid for, as it came.
    CREATE TABLE calls (
        id INTEGER PRIMARY KEY,
        context INTEGER NOT NULL REFERENCES contexts,
        endpoint TEXT NOT NULL,
        started REAL NOT NULL,           -- seconds since 1970
        seconds REAL NOT NULL,
        outcome TEXT NOT NULL,           -- ok, or what went wrong
        items INTEGER NOT NULL,          -- questions asked in it
        raw TEXT NOT NULL,               -- the answer, before parsing
        finish TEXT,
        refusal TEXT NOT NULL,
        odds TEXT,                       -- JSON log-probabilities
        detail TEXT NOT NULL,            -- the error, without keys
        request_id TEXT NOT NULL,
        served_by TEXT NOT NULL,         -- the model as the endpoint names it
        prompt_tokens INTEGER NOT NULL,
        cached_tokens INTEGER NOT NULL,
        completion_tokens INTEGER NOT NULL,
        cost REAL                        -- US dollars; NULL where the price is not known
    );
    CREATE TABLE answers (
        key BLOB PRIMARY KEY,            -- sha-256 of context, text and sample
        context INTEGER NOT NULL REFERENCES contexts,
        text INTEGER NOT NULL REFERENCES texts,
        sample INTEGER NOT NULL,
        call INTEGER NOT NULL REFERENCES calls,
        item INTEGER NOT NULL,           -- which of the call's questions, from 0
        verdict TEXT,                    -- NULL: not parsed yet
        achieved TEXT,                   -- JSON [0, 1, ...] in the order of the subgoals
        confidence TEXT,                 -- JSON [p, ...]
        reason TEXT NOT NULL DEFAULT ''
    ) WITHOUT ROWID;
    CREATE INDEX answers_by_text ON answers (text, context);
    CREATE INDEX answers_by_context ON answers (context, verdict);
    -- Who is asking what just now, so that processes that share a store share the work.
    CREATE TABLE leases (
        key BLOB PRIMARY KEY,
        owner TEXT NOT NULL,
        expires REAL NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE cards (                 -- what an endpoint can do, as probed
        endpoint TEXT NOT NULL,
        model TEXT NOT NULL,
        card TEXT NOT NULL,
        PRIMARY KEY (endpoint, model)
    ) WITHOUT ROWID;
    CREATE TABLE subgoal_sets (
        hash TEXT PRIMARY KEY,
        task TEXT NOT NULL,
        subgoals TEXT NOT NULL,
        source TEXT NOT NULL,            -- openai:MODEL, given, edited
        created REAL NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE batches (               -- jobs handed to a Batch API
        id INTEGER PRIMARY KEY,
        context INTEGER NOT NULL REFERENCES contexts,
        endpoint TEXT NOT NULL,
        tag TEXT NOT NULL UNIQUE,        -- ours, in the job's metadata: finds it after a crash
        remote TEXT,                     -- theirs; NULL until the endpoint has told it
        status TEXT NOT NULL,
        keys TEXT NOT NULL,              -- JSON [hex key, ...] by custom_id
        created REAL NOT NULL
    );
    """,
    """
    -- The whole message as JSON, where it held more than the answer: thoughts, tool calls.
    ALTER TABLE calls ADD COLUMN message TEXT NOT NULL DEFAULT '';
    """,
)
