"""Invitations, answers to security questions, Terms of Use, changes of address, and what each has reviewed."""

from __future__ import annotations

from bedside_core.database import definer_function, deployment_table, practice_table, sql_migration

ID = "core_2026_11_22t01_45"
VERSION = "1.38.0"
DESCRIPTION = "Invitations, answers to security questions, Terms of Use, changes of address."

TABLES = """
ALTER TABLE member
    ADD COLUMN title text CHECK (title <> ''),
    ADD COLUMN settings_reviewed_at timestamptz;
CREATE TABLE invitation (
    id uuid PRIMARY KEY,
    practice_id uuid NOT NULL REFERENCES practice,
    email text NOT NULL CHECK (email LIKE '%_@_%'),
    first_name text NOT NULL CHECK (first_name <> ''),
    last_name text NOT NULL CHECK (last_name <> ''),
    role text NOT NULL CHECK (role IN ('owner', 'manager', 'practitioner', 'staff')),
    language text NOT NULL CHECK (language IN ('en', 'es')),
    anew boolean NOT NULL,
    member_id uuid,
    invited_by uuid,
    client_id text,
    created_at timestamptz NOT NULL,
    accepted_at timestamptz,
    accepted_client_id text,
    revoked_at timestamptz,
    UNIQUE (practice_id, id),
    FOREIGN KEY (practice_id, member_id) REFERENCES member (practice_id, id),
    FOREIGN KEY (practice_id, invited_by) REFERENCES member (practice_id, id),
    CHECK (accepted_at IS NULL OR revoked_at IS NULL),
    CHECK (member_id IS NOT NULL OR (accepted_at IS NULL AND NOT anew)),
    CHECK ((accepted_at IS NULL) = (accepted_client_id IS NULL))
);
CREATE UNIQUE INDEX invitation_open ON invitation (practice_id, lower(email))
    WHERE accepted_at IS NULL AND revoked_at IS NULL;
CREATE UNIQUE INDEX invitation_by_operator ON invitation (practice_id, client_id) WHERE invited_by IS NULL;
CREATE TABLE security_answer (
    account_id uuid NOT NULL REFERENCES account ON DELETE CASCADE,
    question text NOT NULL,
    answer_hash text NOT NULL,
    answered_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, question)
);
CREATE TABLE terms (
    version integer PRIMARY KEY CHECK (version > 0),
    english text NOT NULL CHECK (english <> ''),
    spanish text NOT NULL CHECK (spanish <> ''),
    published_at timestamptz NOT NULL,
    client_id text UNIQUE
);
CREATE TABLE terms_acceptance (
    account_id uuid NOT NULL REFERENCES account ON DELETE CASCADE,
    version integer NOT NULL REFERENCES terms,
    accepted_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, version)
);
CREATE TABLE email_change (
    account_id uuid PRIMARY KEY REFERENCES account ON DELETE CASCADE,
    email text NOT NULL CHECK (email LIKE '%_@_%'),
    asked_at timestamptz NOT NULL
);
"""

CLOSED = ("security_answer", "terms", "terms_acceptance", "email_change")

ENGLISH = """Terms of Use

1. This service is for the work of health care practices and for their patients. Use it for nothing else.
2. Your account is yours alone. Keep your password and your second factor to yourself, and sign out on devices that
others use.
3. What you read here about patients is confidential. Look only at what your work needs; every look is recorded.
4. Do not use this service for emergencies. Call the local emergency number instead.
5. The practice that invited you decides about your access and can end it at any time.
"""

SPANISH = """Condiciones de uso

1. Este servicio es para el trabajo de los consultorios de salud y para sus pacientes. No lo use para nada más.
2. Su cuenta es solo suya. No comparta su contraseña ni su segundo factor, y cierre la sesión en los dispositivos que
usan otras personas.
3. Lo que lea aquí sobre pacientes es confidencial. Consulte solo lo que su trabajo requiere; cada consulta queda
registrada.
4. No use este servicio para emergencias. Llame al número de emergencias de su zona.
5. El consultorio que le invitó decide sobre su acceso y puede retirarlo en cualquier momento.
"""

FUNCTIONS = [
    # Whoever has a link's secret is told what they are invited to, before they are anybody here.
    *definer_function(
        "invitation_look(wanted uuid)",
        "TABLE (practice_id uuid, practice text, email text, first_name text, last_name text, role text, anew boolean, "
        "member_id uuid, account_id uuid, inviter text, accepted_client_id text)",
        """SELECT i.practice_id, p.name, i.email, i.first_name, i.last_name, i.role, i.anew, i.member_id,
            coalesce(m.account_id, a.id), b.first_name || ' ' || b.last_name, i.accepted_client_id
        FROM invitation i JOIN practice p ON p.id = i.practice_id
        LEFT JOIN member m ON m.id = i.member_id
        LEFT JOIN account a ON lower(a.email) = lower(i.email)
        LEFT JOIN member b ON b.id = i.invited_by
        WHERE i.id = wanted AND i.revoked_at IS NULL""",
    ),
    *definer_function(
        "answers_set(account uuid, questions text[], hashes text[], at timestamptz)",
        "void",
        """BEGIN
            DELETE FROM security_answer WHERE account_id = account;
            INSERT INTO security_answer (account_id, question, answer_hash, answered_at)
            SELECT account, given.question, given.hash, at FROM unnest(questions, hashes) AS given(question, hash);
        END""",
        language="plpgsql",
        volatility="VOLATILE",
    ),
    *definer_function(
        "answers_of(account uuid)",
        "TABLE (question text, answer_hash text)",
        "SELECT s.question, s.answer_hash FROM security_answer s WHERE s.account_id = account ORDER BY s.question",
    ),
    *definer_function(
        "terms_version(wanted integer)",
        "TABLE (version integer, english text, spanish text, published_at timestamptz)",
        """SELECT t.version, t.english, t.spanish, t.published_at FROM terms t
        WHERE wanted IS NULL OR t.version = wanted ORDER BY t.version DESC LIMIT 1""",
    ),
    *definer_function(
        "terms_publish(in_english text, in_spanish text, at timestamptz, client text)",
        "TABLE (version integer, english text, spanish text, published_at timestamptz, fresh boolean)",
        """BEGIN
            LOCK TABLE terms IN EXCLUSIVE MODE;
            IF EXISTS (SELECT FROM terms t WHERE t.client_id = client) THEN
                RETURN QUERY SELECT t.version, t.english, t.spanish, t.published_at, false FROM terms t
                    WHERE t.client_id = client;
                RETURN;
            END IF;
            RETURN QUERY INSERT INTO terms AS t (version, english, spanish, published_at, client_id)
            SELECT coalesce(max(o.version), 0) + 1, in_english, in_spanish, at, client FROM terms o
            RETURNING t.version, t.english, t.spanish, t.published_at, true;
        END""",
        language="plpgsql",
        volatility="VOLATILE",
    ),
    *definer_function(
        "terms_accept(account uuid, accepted integer, at timestamptz)",
        "void",
        """INSERT INTO terms_acceptance (account_id, version, accepted_at) VALUES (account, accepted, at)
        ON CONFLICT DO NOTHING""",
        volatility="VOLATILE",
    ),
    *definer_function(
        "terms_accepted(account uuid)",
        "TABLE (version integer, accepted_at timestamptz)",
        """SELECT t.version, t.accepted_at FROM terms_acceptance t WHERE t.account_id = account
        ORDER BY t.version DESC LIMIT 100""",
    ),
    # An account and the practice in whose trail its sign-ins stand.
    *definer_function(
        "account_home(wanted uuid)",
        "TABLE (email text, practice_id uuid, operator boolean)",
        """SELECT a.email, (SELECT m.practice_id FROM member m WHERE m.account_id = a.id AND m.active
            ORDER BY m.created_at, m.id LIMIT 1), a.operator
        FROM account a WHERE a.id = wanted""",
    ),
    *definer_function(
        "email_change_ask(account uuid, new_email text, at timestamptz)",
        "void",
        """INSERT INTO email_change (account_id, email, asked_at) VALUES (account, new_email, at)
        ON CONFLICT (account_id) DO UPDATE SET email = excluded.email, asked_at = excluded.asked_at""",
        volatility="VOLATILE",
    ),
    # What was sent to the address before, and would let in whoever reads it there, leads nowhere from then on.
    *definer_function(
        "email_change_make(of_account uuid, at timestamptz)",
        "text",
        """WITH asked AS (DELETE FROM email_change WHERE account_id = of_account RETURNING email),
        gone AS (
            UPDATE link l SET voided_at = at
            WHERE l.voided_at IS NULL AND l.consumed_at IS NULL AND (
                (l.purpose = 'core.reset' AND l.subject = of_account)
                OR (l.purpose = 'core.register' AND l.subject IN (
                    SELECT i.id FROM invitation i JOIN member m ON m.id = i.member_id
                    WHERE m.account_id = of_account AND i.anew AND i.accepted_at IS NULL)))
        )
        UPDATE account a SET email = asked.email FROM asked WHERE a.id = of_account RETURNING a.email""",
        volatility="VOLATILE",
    ),
]


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


FIRST_TERMS = f"""INSERT INTO terms (version, english, spanish, published_at)
VALUES (1, {_literal(ENGLISH)}, {_literal(SPANISH)}, '2026-11-22T00:00:00Z')"""


async def forwards():
    """Run the migration."""
    return sql_migration(
        "core",
        ID,
        DESCRIPTION,
        [
            TABLES,
            FIRST_TERMS,
            *practice_table("invitation"),
            *(sql for table in CLOSED for sql in deployment_table(table)),
            *FUNCTIONS,
        ],
    )
