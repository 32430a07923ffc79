"""Types of appointments, availability, appointments that never overlap, series, the waiting list, reminders, feeds."""

from __future__ import annotations

from bedside_core.api import definer_function, practice_table, sql_migration

ID = "scheduling_2026_11_23t00_00"
VERSION = "1.38.0"
DESCRIPTION = "Types of appointments, availability, appointments, series, the waiting list, reminders and feeds."

TYPES = """
CREATE TABLE appointment_type (
    id uuid PRIMARY KEY,
    practice_id uuid NOT NULL REFERENCES practice,
    name text NOT NULL CHECK (name <> ''),
    description text NOT NULL DEFAULT '',
    minutes integer CHECK (minutes BETWEEN 5 AND 720),
    buffer_before integer CHECK (buffer_before BETWEEN 0 AND 240),
    buffer_after integer CHECK (buffer_after BETWEEN 0 AND 240),
    mode text NOT NULL CHECK (mode IN ('in_person', 'telehealth', 'both')),
    self_scheduling boolean NOT NULL,
    capacity integer NOT NULL DEFAULT 1 CHECK (capacity BETWEEN 1 AND 100),
    archived_at timestamptz,
    created_at timestamptz NOT NULL,
    created_by uuid NOT NULL,
    client_id text NOT NULL,
    UNIQUE (practice_id, id),
    UNIQUE (practice_id, created_by, client_id)
);
CREATE TABLE appointment_type_member (
    type_id uuid NOT NULL,
    member_id uuid NOT NULL,
    practice_id uuid NOT NULL,
    PRIMARY KEY (type_id, member_id),
    FOREIGN KEY (practice_id, type_id) REFERENCES appointment_type (practice_id, id) ON DELETE CASCADE,
    FOREIGN KEY (practice_id, member_id) REFERENCES member (practice_id, id) ON DELETE CASCADE
);
"""

# A calendar's number stands for a practitioner in the exclusion constraint: no operator class of GiST compares uuids
# without btree_gist, ranges of numbers it compares by itself.
AVAILABILITY = """
CREATE TABLE calendar (
    member_id uuid PRIMARY KEY,
    practice_id uuid NOT NULL,
    number bigint GENERATED ALWAYS AS IDENTITY,
    changed bigint NOT NULL DEFAULT 0,
    UNIQUE (practice_id, number),
    FOREIGN KEY (practice_id, member_id) REFERENCES member (practice_id, id) ON DELETE CASCADE
);
CREATE TABLE section (
    id uuid PRIMARY KEY,
    practice_id uuid NOT NULL,
    member_id uuid NOT NULL,
    weekday integer NOT NULL CHECK (weekday BETWEEN 1 AND 7),
    begins time NOT NULL,
    ends time NOT NULL,
    mode text NOT NULL CHECK (mode IN ('in_person', 'telehealth', 'both')),
    self_scheduling boolean NOT NULL,
    from_date date,
    until_date date,
    CHECK (from_date <= until_date),
    FOREIGN KEY (practice_id, member_id) REFERENCES member (practice_id, id) ON DELETE CASCADE
);
CREATE INDEX section_by_member ON section (practice_id, member_id);
CREATE TABLE availability_day (
    practice_id uuid NOT NULL,
    member_id uuid NOT NULL,
    on_date date NOT NULL,
    PRIMARY KEY (member_id, on_date),
    UNIQUE (practice_id, member_id, on_date),
    FOREIGN KEY (practice_id, member_id) REFERENCES member (practice_id, id) ON DELETE CASCADE
);
CREATE TABLE day_section (
    id uuid PRIMARY KEY,
    practice_id uuid NOT NULL,
    member_id uuid NOT NULL,
    on_date date NOT NULL,
    begins time NOT NULL,
    ends time NOT NULL,
    mode text NOT NULL CHECK (mode IN ('in_person', 'telehealth', 'both')),
    self_scheduling boolean NOT NULL,
    FOREIGN KEY (practice_id, member_id, on_date)
        REFERENCES availability_day (practice_id, member_id, on_date) ON DELETE CASCADE
);
CREATE INDEX day_section_by_member ON day_section (practice_id, member_id, on_date);
CREATE TABLE closure (
    id uuid PRIMARY KEY,
    practice_id uuid NOT NULL REFERENCES practice,
    member_id uuid,
    begins_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    reason text NOT NULL DEFAULT '',
    created_by uuid NOT NULL,
    client_id text NOT NULL,
    CHECK (begins_at < ends_at),
    UNIQUE (practice_id, created_by, client_id),
    FOREIGN KEY (practice_id, member_id) REFERENCES member (practice_id, id) ON DELETE CASCADE
);
CREATE INDEX closure_by_time ON closure (practice_id, begins_at);
"""

APPOINTMENTS = """
CREATE TABLE series (
    id uuid PRIMARY KEY,
    practice_id uuid NOT NULL REFERENCES practice,
    type_id uuid,
    kind text NOT NULL CHECK (kind IN ('in_person', 'telehealth')),
    rule text NOT NULL CHECK (rule <> ''),
    begins timestamp NOT NULL,
    zone text NOT NULL,
    minutes integer NOT NULL CHECK (minutes BETWEEN 5 AND 720),
    created_at timestamptz NOT NULL,
    created_by uuid NOT NULL,
    client_id text NOT NULL,
    ended_at timestamptz,
    UNIQUE (practice_id, id),
    UNIQUE (practice_id, created_by, client_id),
    FOREIGN KEY (practice_id, type_id) REFERENCES appointment_type (practice_id, id)
);
CREATE TABLE appointment (
    id uuid PRIMARY KEY,
    practice_id uuid NOT NULL REFERENCES practice,
    type_id uuid,
    kind text NOT NULL CHECK (kind IN ('in_person', 'telehealth')),
    state text NOT NULL CHECK (state IN ('held', 'booked', 'completed', 'no_show', 'cancelled', 'lapsed')),
    starts_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    zone text NOT NULL,
    capacity integer NOT NULL CHECK (capacity BETWEEN 1 AND 100),
    taken integer NOT NULL DEFAULT 0 CHECK (taken BETWEEN 0 AND capacity),
    version integer NOT NULL DEFAULT 1,
    sequence integer NOT NULL DEFAULT 0,
    series_id uuid,
    occurrence_at timestamptz,
    held_until timestamptz,
    booked_by uuid NOT NULL,
    by_patient boolean NOT NULL,
    client_id text NOT NULL,
    created_at timestamptz NOT NULL,
    moved_by uuid,
    reason text,
    cancelled_at timestamptz,
    cancelled_by uuid,
    arrived_at timestamptz,
    started_at timestamptz,
    finished_at timestamptz,
    changed bigint NOT NULL DEFAULT 0,
    UNIQUE (practice_id, id),
    UNIQUE (practice_id, booked_by, client_id),
    UNIQUE (practice_id, series_id, occurrence_at),
    CHECK (starts_at < ends_at AND ends_at <= starts_at + interval '24 hours'),
    CHECK (state NOT IN ('held', 'lapsed') OR held_until IS NOT NULL),
    CHECK ((state = 'cancelled') = (cancelled_at IS NOT NULL)),
    CHECK ((series_id IS NULL) = (occurrence_at IS NULL)),
    FOREIGN KEY (practice_id, type_id) REFERENCES appointment_type (practice_id, id),
    FOREIGN KEY (practice_id, series_id) REFERENCES series (practice_id, id)
);
CREATE INDEX appointment_by_time ON appointment (practice_id, starts_at);
CREATE INDEX appointment_by_change ON appointment (practice_id, changed);
CREATE INDEX appointment_held ON appointment (practice_id, held_until) WHERE state = 'held';
CREATE TABLE appointment_member (
    appointment_id uuid NOT NULL,
    member_id uuid NOT NULL,
    practice_id uuid NOT NULL,
    number bigint NOT NULL,
    during tstzrange NOT NULL,
    active boolean NOT NULL,
    PRIMARY KEY (appointment_id, member_id),
    FOREIGN KEY (practice_id, appointment_id) REFERENCES appointment (practice_id, id) ON DELETE CASCADE,
    CONSTRAINT appointment_member_no_overlap
        EXCLUDE USING gist (int8range(number, number, '[]') WITH &&, during WITH &&) WHERE (active)
);
CREATE INDEX appointment_member_by_member ON appointment_member (practice_id, member_id);
CREATE TABLE appointment_patient (
    appointment_id uuid NOT NULL,
    patient_id uuid NOT NULL,
    practice_id uuid NOT NULL,
    added_at timestamptz NOT NULL,
    cancelled_at timestamptz,
    PRIMARY KEY (appointment_id, patient_id),
    FOREIGN KEY (practice_id, appointment_id) REFERENCES appointment (practice_id, id) ON DELETE CASCADE,
    FOREIGN KEY (practice_id, patient_id) REFERENCES patient (practice_id, id) ON DELETE CASCADE
);
CREATE INDEX appointment_patient_by_patient ON appointment_patient (practice_id, patient_id);
CREATE TABLE schedule_stream (
    practice_id uuid PRIMARY KEY REFERENCES practice,
    position bigint NOT NULL
);
"""

# What the exclusion constraint looks at follows from the appointment, and nobody can forget to write it.
KEPT_BY_THE_DATABASE = [
    """CREATE FUNCTION appointment_member_of() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        SELECT c.number INTO STRICT NEW.number FROM calendar c WHERE c.member_id = NEW.member_id;
        SELECT tstzrange(a.starts_at, a.ends_at, '[)'), a.state NOT IN ('cancelled', 'lapsed')
            INTO STRICT NEW.during, NEW.active FROM appointment a WHERE a.id = NEW.appointment_id;
        RETURN NEW;
    END $$""",
    """CREATE TRIGGER of_appointment BEFORE INSERT ON appointment_member
    FOR EACH ROW EXECUTE FUNCTION appointment_member_of()""",
    """CREATE FUNCTION appointment_moves() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        UPDATE appointment_member SET during = tstzrange(NEW.starts_at, NEW.ends_at, '[)'),
            active = NEW.state NOT IN ('cancelled', 'lapsed') WHERE appointment_id = NEW.id;
        RETURN NULL;
    END $$""",
    """CREATE TRIGGER moves AFTER UPDATE OF starts_at, ends_at, state ON appointment
    FOR EACH ROW WHEN (OLD.starts_at IS DISTINCT FROM NEW.starts_at OR OLD.ends_at IS DISTINCT FROM NEW.ends_at
        OR OLD.state IS DISTINCT FROM NEW.state)
    EXECUTE FUNCTION appointment_moves()""",
    """CREATE FUNCTION appointment_places() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        more integer := 0;
    BEGIN
        IF TG_OP IN ('UPDATE', 'DELETE') AND OLD.cancelled_at IS NULL THEN more := more - 1; END IF;
        IF TG_OP IN ('UPDATE', 'INSERT') AND NEW.cancelled_at IS NULL THEN more := more + 1; END IF;
        IF more <> 0 THEN
            UPDATE appointment SET taken = taken + more WHERE id = coalesce(NEW.appointment_id, OLD.appointment_id);
        END IF;
        RETURN NULL;
    END $$""",
    """CREATE TRIGGER places AFTER INSERT OR UPDATE OF cancelled_at OR DELETE ON appointment_patient
    FOR EACH ROW EXECUTE FUNCTION appointment_places()""",
]

WAITING = """
CREATE TABLE waiting_entry (
    id uuid PRIMARY KEY,
    practice_id uuid NOT NULL,
    patient_id uuid NOT NULL,
    type_id uuid NOT NULL,
    member_id uuid,
    kind text CHECK (kind IN ('in_person', 'telehealth')),
    earliest timestamptz NOT NULL,
    latest timestamptz NOT NULL,
    created_at timestamptz NOT NULL,
    created_by uuid NOT NULL,
    client_id text NOT NULL,
    closed_at timestamptz,
    outcome text CHECK (outcome IN ('booked', 'left', 'over')),
    CHECK (earliest < latest),
    CHECK ((closed_at IS NULL) = (outcome IS NULL)),
    UNIQUE (practice_id, id),
    UNIQUE (practice_id, created_by, client_id),
    FOREIGN KEY (practice_id, patient_id) REFERENCES patient (practice_id, id) ON DELETE CASCADE,
    FOREIGN KEY (practice_id, type_id) REFERENCES appointment_type (practice_id, id),
    FOREIGN KEY (practice_id, member_id) REFERENCES member (practice_id, id) ON DELETE CASCADE
);
CREATE INDEX waiting_entry_open ON waiting_entry (practice_id, created_at) WHERE closed_at IS NULL;
CREATE INDEX waiting_entry_by_patient ON waiting_entry (practice_id, patient_id);
CREATE TABLE waiting_offer (
    id uuid PRIMARY KEY,
    practice_id uuid NOT NULL,
    entry_id uuid NOT NULL,
    appointment_id uuid NOT NULL,
    offered_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    state text NOT NULL CHECK (state IN ('open', 'taken', 'declined', 'over')),
    UNIQUE (practice_id, entry_id, appointment_id),
    FOREIGN KEY (practice_id, entry_id) REFERENCES waiting_entry (practice_id, id) ON DELETE CASCADE,
    FOREIGN KEY (practice_id, appointment_id) REFERENCES appointment (practice_id, id) ON DELETE CASCADE
);
CREATE INDEX waiting_offer_by_appointment ON waiting_offer (practice_id, appointment_id);
CREATE UNIQUE INDEX waiting_offer_open ON waiting_offer (practice_id, entry_id) WHERE state = 'open';
"""

REMINDERS = """
CREATE TABLE appointment_reminder (
    appointment_id uuid NOT NULL,
    patient_id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('standard', 'telehealth')),
    practice_id uuid NOT NULL,
    version integer NOT NULL,
    due_at timestamptz NOT NULL,
    taken_at timestamptz,
    PRIMARY KEY (appointment_id, patient_id, kind),
    FOREIGN KEY (practice_id, appointment_id) REFERENCES appointment (practice_id, id) ON DELETE CASCADE,
    FOREIGN KEY (practice_id, patient_id) REFERENCES patient (practice_id, id) ON DELETE CASCADE
);
CREATE INDEX appointment_reminder_due ON appointment_reminder (practice_id, due_at) WHERE taken_at IS NULL;
"""

FEEDS = """
CREATE TABLE calendar_feed (
    id uuid PRIMARY KEY,
    practice_id uuid NOT NULL REFERENCES practice,
    person_kind text NOT NULL CHECK (person_kind IN ('member', 'patient')),
    person_id uuid NOT NULL,
    account_id uuid NOT NULL REFERENCES account,
    secret_hash bytea NOT NULL,
    created_at timestamptz NOT NULL,
    client_id text NOT NULL,
    revoked_at timestamptz,
    read_at timestamptz,
    UNIQUE (practice_id, account_id, client_id),
    UNIQUE (practice_id, secret_hash)
);
CREATE INDEX calendar_feed_by_secret ON calendar_feed (secret_hash);
CREATE INDEX calendar_feed_by_person ON calendar_feed (practice_id, person_id) WHERE revoked_at IS NULL;
"""

FUNCTIONS = [
    *definer_function(
        "scheduling_positions(ids uuid[])",
        'TABLE (id uuid, "position" bigint)',
        "SELECT s.practice_id, s.position FROM schedule_stream s WHERE s.practice_id = ANY(ids)",
    ),
    # A calendar application knows the secret and no practice: asked with the hash that only the secret leads to.
    *definer_function(
        "scheduling_feed(secret bytea)",
        "TABLE (id uuid, practice_id uuid, person_kind text, person_id uuid, account_id uuid)",
        """SELECT f.id, f.practice_id, f.person_kind, f.person_id, f.account_id FROM calendar_feed f
        WHERE f.secret_hash = secret AND f.revoked_at IS NULL""",
    ),
]

_PRACTICE_TABLES = (
    "appointment_type",
    "appointment_type_member",
    "calendar",
    "section",
    "availability_day",
    "day_section",
    "closure",
    "series",
    "appointment",
    "appointment_member",
    "appointment_patient",
    "schedule_stream",
    "waiting_entry",
    "waiting_offer",
    "appointment_reminder",
    "calendar_feed",
)


async def forwards():
    """Run the migration."""
    return sql_migration(
        "scheduling",
        ID,
        DESCRIPTION,
        [
            TYPES,
            AVAILABILITY,
            APPOINTMENTS,
            WAITING,
            REMINDERS,
            FEEDS,
            *(statement for table in _PRACTICE_TABLES for statement in practice_table(table)),
            *KEPT_BY_THE_DATABASE,
            *FUNCTIONS,
        ],
    )
