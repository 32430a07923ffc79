-- A deployment of Bedside 0.1.0 at commit a8516bc, before accounts, people, files and audit were made whole: its demo, written by
-- pg_dump --no-owner --inserts --rows-per-insert=200, without \restrict and \unrestrict. Only tests/core/operations/test_upgrade.py reads it.
--
-- PostgreSQL database dump
--


-- Dumped from database version 18.4
-- Dumped by pg_dump version 18.4

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET transaction_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

--
-- Name: pgqueuer_status; Type: TYPE; Schema: public; Owner: -
--

CREATE TYPE public.pgqueuer_status AS ENUM (
    'queued',
    'picked',
    'successful',
    'exception',
    'canceled',
    'deleted',
    'failed'
);


--
-- Name: account_create(uuid, text, text, boolean, timestamp with time zone); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.account_create(new_id uuid, new_email text, new_hash text, is_operator boolean, at timestamp with time zone) RETURNS void
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$INSERT INTO account (id, email, operator, created_at) VALUES (new_id, new_email, is_operator, at);
        INSERT INTO credential (account_id, password_hash) VALUES (new_id, new_hash)$$;


--
-- Name: app_person(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.app_person() RETURNS uuid
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN (NULLIF(current_setting('app.person_id'::text, true), ''::text))::uuid;


--
-- Name: app_practice(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.app_practice() RETURNS uuid
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN (NULLIF(current_setting('app.practice_id'::text, true), ''::text))::uuid;


--
-- Name: auth_account(text); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.auth_account(wanted text) RETURNS TABLE(account_id uuid, password_hash text, role text, practice_id uuid, member_id uuid)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$SELECT a.id, c.password_hash, CASE WHEN a.operator THEN 'operator' ELSE m.role END, m.practice_id, m.id
        FROM account a JOIN credential c ON c.account_id = a.id
        LEFT JOIN LATERAL (
            SELECT * FROM member WHERE member.account_id = a.id AND member.active AND NOT a.operator
            ORDER BY member.created_at, member.id LIMIT 1
        ) m ON true
        WHERE lower(a.email) = lower(wanted) AND (a.operator OR m.id IS NOT NULL)$$;


--
-- Name: auth_end_session(uuid, timestamp with time zone); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.auth_end_session(wanted uuid, at timestamp with time zone) RETURNS void
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$UPDATE session SET ended_at = at WHERE id = wanted AND ended_at IS NULL$$;


--
-- Name: auth_open_session(uuid, uuid, uuid, bytea, timestamp with time zone, timestamp with time zone); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.auth_open_session(new_id uuid, account uuid, member uuid, token bytea, at timestamp with time zone, until timestamp with time zone) RETURNS void
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$INSERT INTO session (id, account_id, member_id, token_hash, created_at, expires_at)
        VALUES (new_id, account, member, token, at, until)$$;


--
-- Name: auth_session(bytea, timestamp with time zone); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.auth_session(token bytea, at timestamp with time zone) RETURNS TABLE(session_id uuid, account_id uuid, role text, practice_id uuid, member_id uuid)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$SELECT s.id, s.account_id, CASE WHEN a.operator THEN 'operator' ELSE m.role END, m.practice_id, m.id
        FROM session s JOIN account a ON a.id = s.account_id LEFT JOIN member m ON m.id = s.member_id AND m.active
        WHERE s.token_hash = token AND s.ended_at IS NULL AND s.expires_at > at AND (a.operator OR m.id IS NOT NULL)$$;


--
-- Name: chat_positions(uuid[]); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.chat_positions(wanted uuid[]) RETURNS TABLE(id uuid, "position" bigint)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$SELECT c.id, c."position" FROM conversation c WHERE c.id = ANY(wanted)$$;


--
-- Name: chat_takes_part(uuid); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.chat_takes_part(conversation uuid) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$SELECT EXISTS (SELECT FROM participant p
        WHERE p.conversation_id = conversation AND p.person_id = app_person())$$;


--
-- Name: clock_move(double precision); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.clock_move(by double precision) RETURNS bigint
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$UPDATE clock SET offset_seconds = offset_seconds + by, "position" = "position" + 1 RETURNING "position"$$;


--
-- Name: clock_offset_seconds(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.clock_offset_seconds() RETURNS double precision
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$SELECT offset_seconds FROM clock$$;


--
-- Name: clock_position(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.clock_position() RETURNS bigint
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$SELECT "position" FROM clock$$;


--
-- Name: fn_pgqueuer_changed(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.fn_pgqueuer_changed() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
DECLARE
    to_emit BOOLEAN := false;  -- Flag to decide whether to emit a notification
BEGIN
    -- Check operation type and set the emit flag accordingly
    IF TG_OP = 'UPDATE' AND OLD IS DISTINCT FROM NEW THEN
        to_emit := true;
    ELSIF TG_OP = 'DELETE' THEN
        to_emit := true;
    ELSIF TG_OP = 'INSERT' THEN
        to_emit := true;
    ELSIF TG_OP = 'TRUNCATE' THEN
        to_emit := true;
    END IF;

    -- Perform notification if the emit flag is set
    IF to_emit THEN
        PERFORM pg_notify(
            'ch_pgqueuer',
            json_build_object(
                'channel', 'ch_pgqueuer',
                'operation', lower(TG_OP),
                'sent_at', NOW(),
                'table', TG_TABLE_NAME,
                'type', 'table_changed_event'
            )::text
        );
    END IF;

    -- Return appropriate value based on the operation
    IF TG_OP IN ('INSERT', 'UPDATE') THEN
        RETURN NEW;
    ELSIF TG_OP = 'DELETE' THEN
        RETURN OLD;
    ELSE
        RETURN NULL; -- For TRUNCATE and other non-row-specific contexts
    END IF;

END;
$$;


--
-- Name: job_enqueue(text, bytea, uuid, text); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.job_enqueue(job text, content bytea, practice uuid, same_key text) RETURNS bigint
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$WITH inserted AS (
            INSERT INTO pgqueuer (priority, entrypoint, payload, execute_after, dedupe_key, headers, status)
            VALUES (0, job, content, now(), same_key, jsonb_build_object('practice', practice), 'queued')
            ON CONFLICT (dedupe_key)
            WHERE status = ANY (ARRAY['queued'::pgqueuer_status, 'picked'::pgqueuer_status]) AND dedupe_key IS NOT NULL
            DO NOTHING
            RETURNING id, entrypoint, priority
        ), logged AS (
            INSERT INTO pgqueuer_log (job_id, status, entrypoint, priority)
            SELECT id, 'queued', entrypoint, priority FROM inserted
        )
        SELECT id FROM inserted$$;


--
-- Name: job_held(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.job_held() RETURNS TABLE(id bigint, job text, practice uuid, attempts integer, reason text)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$SELECT q.id, q.entrypoint, (q.headers->>'practice')::uuid, coalesce(a.number, 0), coalesce(a.reason, '')
        FROM pgqueuer q LEFT JOIN job_attempt a ON a.job_id = q.id WHERE q.status = 'failed' ORDER BY q.id LIMIT 100$$;


--
-- Name: job_requeue(bigint); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.job_requeue(wanted bigint) RETURNS bigint
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$WITH requeued AS (
            UPDATE pgqueuer
            SET status = 'queued', execute_after = now(), updated = now(), attempts = 0, queue_manager_id = NULL
            WHERE id = wanted AND status = 'failed' RETURNING id, entrypoint, priority
        ), logged AS (
            INSERT INTO pgqueuer_log (job_id, status, entrypoint, priority)
            SELECT id, 'queued', entrypoint, priority FROM requeued
        ), forgotten AS (
            DELETE FROM job_attempt WHERE job_id IN (SELECT id FROM requeued)
        )
        SELECT id FROM requeued$$;


--
-- Name: plan_of(uuid); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.plan_of(wanted uuid) RETURNS TABLE(tier text, trial_tier text, trial_ends_at timestamp with time zone, changed_at timestamp with time zone, kind text, key text, enabled boolean, amount integer, ends_at timestamp with time zone)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$SELECT p.tier, p.trial_tier, p.trial_ends_at, p.changed_at, i.kind, i.key, i.enabled, i.amount, i.ends_at
        FROM plan p LEFT JOIN plan_item i ON i.practice_id = p.practice_id
        WHERE p.practice_id = wanted ORDER BY i.kind, i.key$$;


--
-- Name: practice_by_id(uuid); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.practice_by_id(wanted uuid) RETURNS TABLE(id uuid, name text, zone text)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$SELECT p.id, p.name, p.zone FROM practice p WHERE p.id = wanted$$;


--
-- Name: practice_changed(uuid); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.practice_changed(wanted uuid) RETURNS bigint
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$UPDATE practice SET "position" = "position" + 1 WHERE id = wanted RETURNING "position"$$;


--
-- Name: practice_create(uuid, text, text, timestamp with time zone); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.practice_create(new_id uuid, new_name text, new_zone text, at timestamp with time zone) RETURNS void
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$INSERT INTO practice (id, name, zone, created_at) VALUES (new_id, new_name, new_zone, at)$$;


--
-- Name: practice_ids(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.practice_ids() RETURNS SETOF uuid
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$SELECT id FROM practice ORDER BY id$$;


--
-- Name: practice_page(integer, text, uuid); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.practice_page(size integer, after_name text, after_id uuid) RETURNS TABLE(id uuid, name text, zone text)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$SELECT p.id, p.name, p.zone FROM practice p
        WHERE after_name IS NULL OR (p.name, p.id) > (after_name, after_id) ORDER BY p.name, p.id LIMIT size$$;


--
-- Name: practice_positions(uuid[]); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.practice_positions(wanted uuid[]) RETURNS TABLE(id uuid, "position" bigint)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$SELECT p.id, p."position" FROM practice p WHERE p.id = ANY(wanted)$$;


--
-- Name: session_positions(uuid[], timestamp with time zone); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.session_positions(wanted uuid[], at timestamp with time zone) RETURNS TABLE(id uuid, "position" bigint)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$SELECT s.id,
            CASE WHEN s.ended_at IS NULL AND s.expires_at > at AND (a.operator OR m.active) THEN 0 ELSE 1 END
        FROM session s JOIN account a ON a.id = s.account_id LEFT JOIN member m ON m.id = s.member_id
        WHERE s.id = ANY(wanted)$$;


SET default_tablespace = '';

SET default_table_access_method = heap;

--
-- Name: account; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.account (
    id uuid NOT NULL,
    email text NOT NULL,
    operator boolean DEFAULT false NOT NULL,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT account_email_check CHECK ((email ~~ '%_@_%'::text))
);


--
-- Name: clock; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.clock (
    one boolean DEFAULT true NOT NULL,
    offset_seconds double precision DEFAULT 0 NOT NULL,
    "position" bigint DEFAULT 0 NOT NULL,
    CONSTRAINT clock_one_check CHECK (one)
);


--
-- Name: conversation; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.conversation (
    id uuid NOT NULL,
    practice_id uuid NOT NULL,
    kind text NOT NULL,
    direct_key text NOT NULL,
    "position" bigint DEFAULT 0 NOT NULL,
    created_by uuid NOT NULL,
    created_at timestamp with time zone NOT NULL,
    active_at timestamp with time zone NOT NULL,
    CONSTRAINT conversation_kind_check CHECK ((kind = 'direct'::text))
);


--
-- Name: conversation_start; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.conversation_start (
    practice_id uuid NOT NULL,
    person_id uuid NOT NULL,
    client_id text NOT NULL,
    conversation_id uuid NOT NULL
);


--
-- Name: credential; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.credential (
    account_id uuid NOT NULL,
    password_hash text NOT NULL
);


--
-- Name: job_attempt; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.job_attempt (
    job_id bigint NOT NULL,
    number integer NOT NULL,
    running boolean NOT NULL,
    reason text DEFAULT ''::text NOT NULL
);


--
-- Name: job_schedule; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.job_schedule (
    name text NOT NULL,
    cron text NOT NULL,
    due_at timestamp with time zone NOT NULL
);


--
-- Name: member; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.member (
    id uuid NOT NULL,
    practice_id uuid NOT NULL,
    account_id uuid NOT NULL,
    first_name text NOT NULL,
    last_name text NOT NULL,
    role text NOT NULL,
    active boolean DEFAULT true NOT NULL,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT member_first_name_check CHECK ((first_name <> ''::text)),
    CONSTRAINT member_last_name_check CHECK ((last_name <> ''::text)),
    CONSTRAINT member_role_check CHECK ((role = ANY (ARRAY['owner'::text, 'manager'::text, 'practitioner'::text, 'staff'::text])))
);


--
-- Name: message; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.message (
    id uuid NOT NULL,
    practice_id uuid NOT NULL,
    conversation_id uuid NOT NULL,
    "position" bigint NOT NULL,
    sender_id uuid NOT NULL,
    body text NOT NULL,
    client_id text NOT NULL,
    sent_at timestamp with time zone NOT NULL,
    CONSTRAINT message_body_check CHECK ((body <> ''::text))
);


--
-- Name: migration; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.migration (
    id integer NOT NULL,
    name character varying(200) DEFAULT ''::character varying NOT NULL,
    app_name character varying(200) DEFAULT ''::character varying NOT NULL,
    ran_on timestamp without time zone DEFAULT CURRENT_TIMESTAMP NOT NULL
);


--
-- Name: migration_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

CREATE SEQUENCE public.migration_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


--
-- Name: migration_id_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: -
--

ALTER SEQUENCE public.migration_id_seq OWNED BY public.migration.id;


--
-- Name: participant; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.participant (
    practice_id uuid NOT NULL,
    conversation_id uuid NOT NULL,
    person_id uuid NOT NULL,
    joined_at timestamp with time zone NOT NULL
);


--
-- Name: patient; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.patient (
    id uuid NOT NULL,
    practice_id uuid NOT NULL,
    first_name text NOT NULL,
    last_name text NOT NULL,
    date_of_birth date NOT NULL,
    mrn text NOT NULL,
    gender text NOT NULL,
    phone text,
    email text,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT patient_check CHECK (((phone IS NOT NULL) OR (email IS NOT NULL))),
    CONSTRAINT patient_first_name_check CHECK ((first_name <> ''::text)),
    CONSTRAINT patient_gender_check CHECK ((gender <> ''::text)),
    CONSTRAINT patient_last_name_check CHECK ((last_name <> ''::text)),
    CONSTRAINT patient_mrn_check CHECK ((mrn <> ''::text))
);


--
-- Name: pgqueuer; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.pgqueuer (
    id bigint NOT NULL,
    priority integer NOT NULL,
    queue_manager_id uuid,
    created timestamp with time zone DEFAULT now() NOT NULL,
    updated timestamp with time zone DEFAULT now() NOT NULL,
    heartbeat timestamp with time zone DEFAULT now() NOT NULL,
    execute_after timestamp with time zone DEFAULT now() NOT NULL,
    status public.pgqueuer_status NOT NULL,
    entrypoint text NOT NULL,
    dedupe_key text,
    payload bytea,
    headers jsonb,
    attempts integer DEFAULT 0 NOT NULL,
    slot bigint
)
WITH (autovacuum_vacuum_scale_factor='0.01', autovacuum_vacuum_threshold='1000', fillfactor='70');


--
-- Name: pgqueuer_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

CREATE SEQUENCE public.pgqueuer_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


--
-- Name: pgqueuer_id_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: -
--

ALTER SEQUENCE public.pgqueuer_id_seq OWNED BY public.pgqueuer.id;


--
-- Name: pgqueuer_log; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.pgqueuer_log (
    id bigint NOT NULL,
    created timestamp with time zone DEFAULT now() NOT NULL,
    job_id bigint NOT NULL,
    status public.pgqueuer_status NOT NULL,
    priority integer NOT NULL,
    entrypoint text NOT NULL,
    traceback jsonb,
    aggregated boolean DEFAULT false
);


--
-- Name: pgqueuer_log_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.pgqueuer_log ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.pgqueuer_log_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: pgqueuer_schedules; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.pgqueuer_schedules (
    id bigint NOT NULL,
    expression text NOT NULL,
    entrypoint text NOT NULL,
    heartbeat timestamp with time zone DEFAULT now() NOT NULL,
    created timestamp with time zone DEFAULT now() NOT NULL,
    updated timestamp with time zone DEFAULT now() NOT NULL,
    next_run timestamp with time zone DEFAULT now() NOT NULL,
    last_run timestamp with time zone,
    status public.pgqueuer_status DEFAULT 'queued'::public.pgqueuer_status
);


--
-- Name: pgqueuer_schedules_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

CREATE SEQUENCE public.pgqueuer_schedules_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


--
-- Name: pgqueuer_schedules_id_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: -
--

ALTER SEQUENCE public.pgqueuer_schedules_id_seq OWNED BY public.pgqueuer_schedules.id;


--
-- Name: pgqueuer_statistics; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.pgqueuer_statistics (
    id bigint NOT NULL,
    created timestamp with time zone DEFAULT date_trunc('sec'::text, now()) NOT NULL,
    count bigint NOT NULL,
    priority integer NOT NULL,
    status public.pgqueuer_status NOT NULL,
    entrypoint text NOT NULL
);


--
-- Name: pgqueuer_statistics_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

CREATE SEQUENCE public.pgqueuer_statistics_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


--
-- Name: pgqueuer_statistics_id_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: -
--

ALTER SEQUENCE public.pgqueuer_statistics_id_seq OWNED BY public.pgqueuer_statistics.id;


--
-- Name: plan; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.plan (
    practice_id uuid NOT NULL,
    tier text NOT NULL,
    trial_tier text,
    trial_ends_at timestamp with time zone,
    changed_at timestamp with time zone NOT NULL,
    CONSTRAINT plan_check CHECK (((trial_tier IS NULL) = (trial_ends_at IS NULL))),
    CONSTRAINT plan_tier_check CHECK ((tier = ANY (ARRAY['starter'::text, 'enhanced'::text, 'premium'::text]))),
    CONSTRAINT plan_trial_tier_check CHECK ((trial_tier = ANY (ARRAY['enhanced'::text, 'premium'::text])))
);


--
-- Name: plan_item; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.plan_item (
    id uuid NOT NULL,
    practice_id uuid NOT NULL,
    kind text NOT NULL,
    key text NOT NULL,
    enabled boolean DEFAULT true NOT NULL,
    amount integer,
    ends_at timestamp with time zone,
    CONSTRAINT plan_item_amount_check CHECK ((amount >= 0)),
    CONSTRAINT plan_item_check CHECK ((enabled OR (kind = 'override'::text))),
    CONSTRAINT plan_item_check1 CHECK (((amount IS NULL) OR (kind = 'limit'::text))),
    CONSTRAINT plan_item_key_check CHECK ((key <> ''::text)),
    CONSTRAINT plan_item_kind_check CHECK ((kind = ANY (ARRAY['override'::text, 'add_on'::text, 'limit'::text])))
);


--
-- Name: practice; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.practice (
    id uuid NOT NULL,
    name text NOT NULL,
    zone text NOT NULL,
    "position" bigint DEFAULT 0 NOT NULL,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT practice_name_check CHECK ((name <> ''::text))
);


--
-- Name: session; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.session (
    id uuid NOT NULL,
    account_id uuid NOT NULL,
    member_id uuid,
    token_hash bytea NOT NULL,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone,
    CONSTRAINT session_token_hash_check CHECK ((octet_length(token_hash) = 32))
);


--
-- Name: setting; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.setting (
    id uuid NOT NULL,
    practice_id uuid NOT NULL,
    plugin text NOT NULL,
    member_id uuid,
    stored jsonb NOT NULL
);


--
-- Name: migration id; Type: DEFAULT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.migration ALTER COLUMN id SET DEFAULT nextval('public.migration_id_seq'::regclass);


--
-- Name: pgqueuer id; Type: DEFAULT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.pgqueuer ALTER COLUMN id SET DEFAULT nextval('public.pgqueuer_id_seq'::regclass);


--
-- Name: pgqueuer_schedules id; Type: DEFAULT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.pgqueuer_schedules ALTER COLUMN id SET DEFAULT nextval('public.pgqueuer_schedules_id_seq'::regclass);


--
-- Name: pgqueuer_statistics id; Type: DEFAULT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.pgqueuer_statistics ALTER COLUMN id SET DEFAULT nextval('public.pgqueuer_statistics_id_seq'::regclass);


--
-- Data for Name: account; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.account VALUES
	('01a202b4-5d71-7131-afb5-2079ba27a31c', 'operator@bedside.example', true, '2026-11-22 10:01:45.790828+00'),
	('01a202b4-5de5-7bd6-bdb0-e2ce218b7168', 'owner@premium.example', false, '2026-11-22 10:01:45.879603+00'),
	('01a202b4-5deb-7617-951b-98d304247cae', 'manager@premium.example', false, '2026-11-22 10:01:46.861242+00'),
	('01a202b4-5deb-781e-9a84-f5b10a70ae3b', 'practitioner@premium.example', false, '2026-11-22 10:01:46.924285+00'),
	('01a202b4-5deb-79a4-b072-e9e4531cb4f5', 'staff@premium.example', false, '2026-11-22 10:01:48.146834+00'),
	('01a202b4-5deb-78e7-b106-d048ead6e01e', 'practitioner2@premium.example', false, '2026-11-22 10:01:48.241405+00'),
	('01a202b4-5df6-738f-a4ca-81359c98684f', 'owner@starter.example', false, '2026-11-22 10:01:49.457114+00'),
	('01a202b4-5df6-760c-b624-f39694781b98', 'manager@starter.example', false, '2026-11-22 10:01:49.869401+00'),
	('01a202b4-5df6-76e3-b097-dbf010aa8979', 'practitioner@starter.example', false, '2026-11-22 10:01:50.938339+00'),
	('01a202b4-5df6-777a-bca3-39a7537cf7de', 'practitioner2@starter.example', false, '2026-11-22 10:01:51.648108+00'),
	('01a202b4-5df6-77fe-b36a-ef50ccc3ac19', 'staff@starter.example', false, '2026-11-22 10:01:52.472742+00'),
	('01a202b4-5df6-786e-908c-c368804ec5f3', 'owner@enhanced.example', false, '2026-11-22 10:01:53.131092+00'),
	('01a202b4-5df6-78ee-b59a-1927f7907a06', 'manager@enhanced.example', false, '2026-11-22 10:01:53.934245+00'),
	('01a202b4-5df6-794f-b51c-1bfc4908fbc0', 'practitioner@enhanced.example', false, '2026-11-22 10:01:55.06156+00'),
	('01a202b4-5df6-79cf-8126-5e8b3376f3f1', 'practitioner2@enhanced.example', false, '2026-11-22 10:01:55.405709+00'),
	('01a202b4-5df6-7a33-8537-60766b131108', 'staff@enhanced.example', false, '2026-11-22 10:01:56.192645+00');


--
-- Data for Name: clock; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.clock VALUES
	(true, 0, 0);


--
-- Data for Name: conversation; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.conversation VALUES
	('01a202b4-9e69-78e1-9bea-8164a7a88f02', '01a202b4-5d77-7397-915c-b8bc7b761ec4', 'direct', '01a202b4-6be5-744c-b44f-e1d96dc24837/01a202b4-6c31-73a6-8e6e-796fcda9ff55', 6, '01a202b4-6be5-744c-b44f-e1d96dc24837', '2026-11-22 10:02:01.185633+00', '2026-11-22 10:02:03.539535+00'),
	('01a202b4-a5c2-7e5b-a209-18524a1d9d99', '01a202b4-5d72-7094-bcf5-f23c78c3da22', 'direct', '01a202b4-8ae5-7582-97dc-8721ab4c7503/01a202b4-8af7-73cd-8d13-72b426ee5b0b', 6, '01a202b4-8ae5-7582-97dc-8721ab4c7503', '2026-11-22 10:02:03.073215+00', '2026-11-22 10:02:03.869157+00'),
	('01a202b4-a5dc-7f1f-bc14-eeaeb18fbe24', '01a202b4-5d71-74ba-8212-69b01d602317', 'direct', '01a202b4-7c63-700e-9e9a-365dc909eaed/01a202b4-7c7d-7632-bc12-e175c0a157cb', 6, '01a202b4-7c63-700e-9e9a-365dc909eaed', '2026-11-22 10:02:03.093954+00', '2026-11-22 10:02:03.933046+00');


--
-- Data for Name: conversation_start; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.conversation_start VALUES
	('01a202b4-5d77-7397-915c-b8bc7b761ec4', '01a202b4-6be5-744c-b44f-e1d96dc24837', 'demo-start', '01a202b4-9e69-78e1-9bea-8164a7a88f02'),
	('01a202b4-5d72-7094-bcf5-f23c78c3da22', '01a202b4-8ae5-7582-97dc-8721ab4c7503', 'demo-start', '01a202b4-a5c2-7e5b-a209-18524a1d9d99'),
	('01a202b4-5d71-74ba-8212-69b01d602317', '01a202b4-7c63-700e-9e9a-365dc909eaed', 'demo-start', '01a202b4-a5dc-7f1f-bc14-eeaeb18fbe24');


--
-- Data for Name: credential; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.credential VALUES
	('01a202b4-5d71-7131-afb5-2079ba27a31c', '$argon2id$v=19$m=65536,t=3,p=4$RvT2jmSG13x4G7qEPsw9Zw$Fh9GEDwSLG1uP23/65/b0ZwK5yeE43fzj9gxOveoS98'),
	('01a202b4-5de5-7bd6-bdb0-e2ce218b7168', '$argon2id$v=19$m=65536,t=3,p=4$I4B/r3mVjkITxTfxET6VuQ$WdX0jbOrLSsupYIoE0+U0+2nES9NTJs0DvgNSsoaYT4'),
	('01a202b4-5deb-7617-951b-98d304247cae', '$argon2id$v=19$m=65536,t=3,p=4$LJE14Wz0fhMxrQWusQpwSg$IlGCMlniEGeJX34tfgSZ+AUu8FDKnmPkQHrvgGJmI0k'),
	('01a202b4-5deb-781e-9a84-f5b10a70ae3b', '$argon2id$v=19$m=65536,t=3,p=4$DgQLTM2verK5mDqoclSRdQ$825fGLNcdcmez+LmwpwYhjykHydURwBNxHVJma4l/nQ'),
	('01a202b4-5deb-79a4-b072-e9e4531cb4f5', '$argon2id$v=19$m=65536,t=3,p=4$lls/WOqtiRKwsbjfXEAONA$ehP/SDSRnG70ODTMKpLhMW6hGP3T1LwbymroOTr+bjU'),
	('01a202b4-5deb-78e7-b106-d048ead6e01e', '$argon2id$v=19$m=65536,t=3,p=4$o3r3ygRQ5rN6KXU5hLrA9w$yewqirTbQB4c5VKJHHLzKUIxn54n0W+Fsun7fJ9P0WE'),
	('01a202b4-5df6-738f-a4ca-81359c98684f', '$argon2id$v=19$m=65536,t=3,p=4$nLVrtFEpqQWq1w+7oLiiCg$abvjttv3TNAra3mtzxzaw/fxawjE4VzqInmNLVKIrv4'),
	('01a202b4-5df6-760c-b624-f39694781b98', '$argon2id$v=19$m=65536,t=3,p=4$GS07mKrd0VEYh+eawiY8Uw$CpASrgo4Ey8mlvtkXFaSAe4x4rMrV0it3ChBJ3OeP0s'),
	('01a202b4-5df6-76e3-b097-dbf010aa8979', '$argon2id$v=19$m=65536,t=3,p=4$9zYGwzBeN8mxj0vTfqb2Og$5anFHotGdxXoI8WGSZzQ8q+FL4r8rTl2CGEq7VbwfV4'),
	('01a202b4-5df6-777a-bca3-39a7537cf7de', '$argon2id$v=19$m=65536,t=3,p=4$n47EQpR7IsmuqdVgjbJLUg$qQrCC52NWyGUATDPtHt49qyUTQsBQy5YMeapMVDRc4M'),
	('01a202b4-5df6-77fe-b36a-ef50ccc3ac19', '$argon2id$v=19$m=65536,t=3,p=4$CVGDgJqtjkFzz+RxvO3tog$eQR036S5u2MvszZWVzOhRmQ981x7ASScczdGc9RfkOg'),
	('01a202b4-5df6-786e-908c-c368804ec5f3', '$argon2id$v=19$m=65536,t=3,p=4$n9HuHhqE0B/41LyeFsHCOw$BusRHglxUBiCCahV87OgoHRkXBddcdezJ1LDg/gPSp4'),
	('01a202b4-5df6-78ee-b59a-1927f7907a06', '$argon2id$v=19$m=65536,t=3,p=4$jBoATSSYiNMIfKzo5iBE0A$DuPyD/Hm1nBwI+eZf30g0iWVcQDDd24u9qg+nTvrVt4'),
	('01a202b4-5df6-794f-b51c-1bfc4908fbc0', '$argon2id$v=19$m=65536,t=3,p=4$Kd0AoYlB/e3zMAQWZab9oQ$XT7gMu8B7AhTO5/GGzUdDULjq1VzI5TIfsOw+rjwqMI'),
	('01a202b4-5df6-79cf-8126-5e8b3376f3f1', '$argon2id$v=19$m=65536,t=3,p=4$SnVe2N5o4/uNAxYg/vHQaA$RV/FeaswhtKxhc2vYYFyiCCzsW9DrDNn0vcjsa+mECA'),
	('01a202b4-5df6-7a33-8537-60766b131108', '$argon2id$v=19$m=65536,t=3,p=4$xD5qn0Yp1sa5dJSGPvGBEw$a5o/FtHjJl1C6LvoGxtDKbTBgmKFpcoolrIcdwUXi7w');


--
-- Data for Name: job_attempt; Type: TABLE DATA; Schema: public; Owner: -
--



--
-- Data for Name: job_schedule; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.job_schedule VALUES
	('plans.tell_ended', '* * * * *', '2026-11-22 10:03:00+00');


--
-- Data for Name: member; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.member VALUES
	('01a202b4-6be5-744c-b44f-e1d96dc24837', '01a202b4-5d77-7397-915c-b8bc7b761ec4', '01a202b4-5de5-7bd6-bdb0-e2ce218b7168', 'Amelia', 'Foster', 'owner', true, '2026-11-22 10:01:48.26139+00'),
	('01a202b4-6c09-7845-bc09-06549b3de7db', '01a202b4-5d77-7397-915c-b8bc7b761ec4', '01a202b4-5deb-7617-951b-98d304247cae', 'Victor', 'Silva', 'manager', true, '2026-11-22 10:01:48.29761+00'),
	('01a202b4-6c31-73a6-8e6e-796fcda9ff55', '01a202b4-5d77-7397-915c-b8bc7b761ec4', '01a202b4-5deb-781e-9a84-f5b10a70ae3b', 'Nadia', 'Haddad', 'practitioner', true, '2026-11-22 10:01:48.337311+00'),
	('01a202b4-6c4b-73cb-b731-4c5a0ab1a598', '01a202b4-5d77-7397-915c-b8bc7b761ec4', '01a202b4-5deb-78e7-b106-d048ead6e01e', 'Julian', 'Park', 'practitioner', true, '2026-11-22 10:01:48.363329+00'),
	('01a202b4-6c51-7a74-a789-85fa55f9bfed', '01a202b4-5d77-7397-915c-b8bc7b761ec4', '01a202b4-5deb-79a4-b072-e9e4531cb4f5', 'Gwen', 'Castellano', 'staff', true, '2026-11-22 10:01:48.369739+00'),
	('01a202b4-7c63-700e-9e9a-365dc909eaed', '01a202b4-5d71-74ba-8212-69b01d602317', '01a202b4-5df6-738f-a4ca-81359c98684f', 'Olivia', 'Grant', 'owner', true, '2026-11-22 10:01:52.483062+00'),
	('01a202b4-7c66-76a3-b207-d0efeab099e4', '01a202b4-5d71-74ba-8212-69b01d602317', '01a202b4-5df6-760c-b624-f39694781b98', 'Marcus', 'Bell', 'manager', true, '2026-11-22 10:01:52.486474+00'),
	('01a202b4-7c7d-7632-bc12-e175c0a157cb', '01a202b4-5d71-74ba-8212-69b01d602317', '01a202b4-5df6-76e3-b097-dbf010aa8979', 'Priya', 'Raman', 'practitioner', true, '2026-11-22 10:01:52.509449+00'),
	('01a202b4-7c88-7b3b-b128-14ccaf0bda65', '01a202b4-5d71-74ba-8212-69b01d602317', '01a202b4-5df6-777a-bca3-39a7537cf7de', 'Daniel', 'Okafor', 'practitioner', true, '2026-11-22 10:01:52.520806+00'),
	('01a202b4-7c95-72ee-9740-6d312140c525', '01a202b4-5d71-74ba-8212-69b01d602317', '01a202b4-5df6-77fe-b36a-ef50ccc3ac19', 'Hannah', 'Lindqvist', 'staff', true, '2026-11-22 10:01:52.533261+00'),
	('01a202b4-8ae5-7582-97dc-8721ab4c7503', '01a202b4-5d72-7094-bcf5-f23c78c3da22', '01a202b4-5df6-786e-908c-c368804ec5f3', 'Samuel', 'Ortiz', 'owner', true, '2026-11-22 10:01:56.197415+00'),
	('01a202b4-8aed-7711-bdb3-2d65d30de398', '01a202b4-5d72-7094-bcf5-f23c78c3da22', '01a202b4-5df6-78ee-b59a-1927f7907a06', 'Beatrice', 'Nolan', 'manager', true, '2026-11-22 10:01:56.205515+00'),
	('01a202b4-8af7-73cd-8d13-72b426ee5b0b', '01a202b4-5d72-7094-bcf5-f23c78c3da22', '01a202b4-5df6-794f-b51c-1bfc4908fbc0', 'Mei', 'Chen', 'practitioner', true, '2026-11-22 10:01:56.215311+00'),
	('01a202b4-8b05-70ef-b15a-25fbf68d85d4', '01a202b4-5d72-7094-bcf5-f23c78c3da22', '01a202b4-5df6-79cf-8126-5e8b3376f3f1', 'Tomas', 'Herrera', 'practitioner', true, '2026-11-22 10:01:56.229133+00'),
	('01a202b4-8b09-72a2-a3fa-4ac5076cb312', '01a202b4-5d72-7094-bcf5-f23c78c3da22', '01a202b4-5df6-7a33-8537-60766b131108', 'Ruth', 'Abernathy', 'staff', true, '2026-11-22 10:01:56.233235+00');


--
-- Data for Name: message; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.message VALUES
	('01a202b4-a4ee-7b0c-b579-a9d1dc9f71d1', '01a202b4-5d77-7397-915c-b8bc7b761ec4', '01a202b4-9e69-78e1-9bea-8164a7a88f02', 1, '01a202b4-6be5-744c-b44f-e1d96dc24837', 'Good morning! Could you take the nine o''clock on Thursday? I am at the county meeting until ten.', 'demo-0', '2026-11-22 10:02:02.862679+00'),
	('01a202b4-a5ad-777f-98ec-1dc6f342c461', '01a202b4-5d77-7397-915c-b8bc7b761ec4', '01a202b4-9e69-78e1-9bea-8164a7a88f02', 2, '01a202b4-6c31-73a6-8e6e-796fcda9ff55', 'Sure, I have nothing before half past ten that day.', 'demo-1', '2026-11-22 10:02:03.053441+00'),
	('01a202b4-a622-77dc-ac41-9ebf5570c389', '01a202b4-5d77-7397-915c-b8bc7b761ec4', '01a202b4-9e69-78e1-9bea-8164a7a88f02', 3, '01a202b4-6be5-744c-b44f-e1d96dc24837', 'Thank you. The room on the second floor is free, and the new otoscope is there already.', 'demo-2', '2026-11-22 10:02:03.170463+00'),
	('01a202b4-a669-77f4-a616-b2340cc2e562', '01a202b4-5d72-7094-bcf5-f23c78c3da22', '01a202b4-a5c2-7e5b-a209-18524a1d9d99', 1, '01a202b4-8ae5-7582-97dc-8721ab4c7503', 'Good morning! Could you take the nine o''clock on Thursday? I am at the county meeting until ten.', 'demo-0', '2026-11-22 10:02:03.241483+00'),
	('01a202b4-a686-7d30-a930-9669966530dd', '01a202b4-5d77-7397-915c-b8bc7b761ec4', '01a202b4-9e69-78e1-9bea-8164a7a88f02', 4, '01a202b4-6c31-73a6-8e6e-796fcda9ff55', 'Finally! I''ll bring back the one I borrowed from next door then.', 'demo-3', '2026-11-22 10:02:03.270808+00'),
	('01a202b4-a69d-75b6-887e-1521a7d043ff', '01a202b4-5d71-74ba-8212-69b01d602317', '01a202b4-a5dc-7f1f-bc14-eeaeb18fbe24', 1, '01a202b4-7c63-700e-9e9a-365dc909eaed', 'Good morning! Could you take the nine o''clock on Thursday? I am at the county meeting until ten.', 'demo-0', '2026-11-22 10:02:03.293334+00'),
	('01a202b4-a6d9-7b24-9ddc-479ea449bb2e', '01a202b4-5d72-7094-bcf5-f23c78c3da22', '01a202b4-a5c2-7e5b-a209-18524a1d9d99', 2, '01a202b4-8af7-73cd-8d13-72b426ee5b0b', 'Sure, I have nothing before half past ten that day.', 'demo-1', '2026-11-22 10:02:03.353678+00'),
	('01a202b4-a6ee-75b1-8cbb-a817a25cbf01', '01a202b4-5d77-7397-915c-b8bc7b761ec4', '01a202b4-9e69-78e1-9bea-8164a7a88f02', 5, '01a202b4-6be5-744c-b44f-e1d96dc24837', 'Please do, they have asked twice. Shall we go over the flu clinic on Friday?', 'demo-4', '2026-11-22 10:02:03.374335+00'),
	('01a202b4-a6fa-7836-afad-fffb3060e072', '01a202b4-5d71-74ba-8212-69b01d602317', '01a202b4-a5dc-7f1f-bc14-eeaeb18fbe24', 2, '01a202b4-7c7d-7632-bc12-e175c0a157cb', 'Sure, I have nothing before half past ten that day.', 'demo-1', '2026-11-22 10:02:03.3865+00'),
	('01a202b4-a77b-768a-a129-b3d9802390b8', '01a202b4-5d71-74ba-8212-69b01d602317', '01a202b4-a5dc-7f1f-bc14-eeaeb18fbe24', 3, '01a202b4-7c63-700e-9e9a-365dc909eaed', 'Thank you. The room on the second floor is free, and the new otoscope is there already.', 'demo-2', '2026-11-22 10:02:03.515391+00'),
	('01a202b4-a793-72ed-83e9-3e3e16662810', '01a202b4-5d72-7094-bcf5-f23c78c3da22', '01a202b4-a5c2-7e5b-a209-18524a1d9d99', 3, '01a202b4-8ae5-7582-97dc-8721ab4c7503', 'Thank you. The room on the second floor is free, and the new otoscope is there already.', 'demo-2', '2026-11-22 10:02:03.539161+00'),
	('01a202b4-a793-78aa-ae4f-5e6b38bcedc8', '01a202b4-5d77-7397-915c-b8bc7b761ec4', '01a202b4-9e69-78e1-9bea-8164a7a88f02', 6, '01a202b4-6c31-73a6-8e6e-796fcda9ff55', 'Friday at one works for me. I''ll write down who is still missing from the list.', 'demo-5', '2026-11-22 10:02:03.539535+00'),
	('01a202b4-a801-7593-be5f-334b5bcc492a', '01a202b4-5d72-7094-bcf5-f23c78c3da22', '01a202b4-a5c2-7e5b-a209-18524a1d9d99', 4, '01a202b4-8af7-73cd-8d13-72b426ee5b0b', 'Finally! I''ll bring back the one I borrowed from next door then.', 'demo-3', '2026-11-22 10:02:03.649332+00'),
	('01a202b4-a7fd-7d9b-9b17-620c93cc5c88', '01a202b4-5d71-74ba-8212-69b01d602317', '01a202b4-a5dc-7f1f-bc14-eeaeb18fbe24', 4, '01a202b4-7c7d-7632-bc12-e175c0a157cb', 'Finally! I''ll bring back the one I borrowed from next door then.', 'demo-3', '2026-11-22 10:02:03.645832+00'),
	('01a202b4-a868-7974-9f0b-15b203fa4bfb', '01a202b4-5d72-7094-bcf5-f23c78c3da22', '01a202b4-a5c2-7e5b-a209-18524a1d9d99', 5, '01a202b4-8ae5-7582-97dc-8721ab4c7503', 'Please do, they have asked twice. Shall we go over the flu clinic on Friday?', 'demo-4', '2026-11-22 10:02:03.752574+00'),
	('01a202b4-a8dd-72e0-b100-f7e1d60317cc', '01a202b4-5d72-7094-bcf5-f23c78c3da22', '01a202b4-a5c2-7e5b-a209-18524a1d9d99', 6, '01a202b4-8af7-73cd-8d13-72b426ee5b0b', 'Friday at one works for me. I''ll write down who is still missing from the list.', 'demo-5', '2026-11-22 10:02:03.869157+00'),
	('01a202b4-a8dd-76d0-bc94-f509c5b8cf14', '01a202b4-5d71-74ba-8212-69b01d602317', '01a202b4-a5dc-7f1f-bc14-eeaeb18fbe24', 5, '01a202b4-7c63-700e-9e9a-365dc909eaed', 'Please do, they have asked twice. Shall we go over the flu clinic on Friday?', 'demo-4', '2026-11-22 10:02:03.869421+00'),
	('01a202b4-a91d-7127-b8a5-3e83f849e6e7', '01a202b4-5d71-74ba-8212-69b01d602317', '01a202b4-a5dc-7f1f-bc14-eeaeb18fbe24', 6, '01a202b4-7c7d-7632-bc12-e175c0a157cb', 'Friday at one works for me. I''ll write down who is still missing from the list.', 'demo-5', '2026-11-22 10:02:03.933046+00');


--
-- Data for Name: migration; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.migration VALUES
	(1, 'core_2026_11_22t00_00', 'core', '2026-11-22 10:01:40.014984'),
	(2, 'core_2026_11_22t00_10', 'core', '2026-11-22 10:01:40.014984'),
	(3, 'plans_2026_11_22t00_00', 'plans', '2026-11-22 10:01:41.861152'),
	(4, 'chat_2026_11_22t00_00', 'chat', '2026-11-22 10:01:41.961587');


--
-- Data for Name: participant; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.participant VALUES
	('01a202b4-5d77-7397-915c-b8bc7b761ec4', '01a202b4-9e69-78e1-9bea-8164a7a88f02', '01a202b4-6be5-744c-b44f-e1d96dc24837', '2026-11-22 10:02:01.185633+00'),
	('01a202b4-5d77-7397-915c-b8bc7b761ec4', '01a202b4-9e69-78e1-9bea-8164a7a88f02', '01a202b4-6c31-73a6-8e6e-796fcda9ff55', '2026-11-22 10:02:01.185633+00'),
	('01a202b4-5d72-7094-bcf5-f23c78c3da22', '01a202b4-a5c2-7e5b-a209-18524a1d9d99', '01a202b4-8ae5-7582-97dc-8721ab4c7503', '2026-11-22 10:02:03.073215+00'),
	('01a202b4-5d72-7094-bcf5-f23c78c3da22', '01a202b4-a5c2-7e5b-a209-18524a1d9d99', '01a202b4-8af7-73cd-8d13-72b426ee5b0b', '2026-11-22 10:02:03.073215+00'),
	('01a202b4-5d71-74ba-8212-69b01d602317', '01a202b4-a5dc-7f1f-bc14-eeaeb18fbe24', '01a202b4-7c63-700e-9e9a-365dc909eaed', '2026-11-22 10:02:03.093954+00'),
	('01a202b4-5d71-74ba-8212-69b01d602317', '01a202b4-a5dc-7f1f-bc14-eeaeb18fbe24', '01a202b4-7c7d-7632-bc12-e175c0a157cb', '2026-11-22 10:02:03.093954+00');


--
-- Data for Name: patient; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.patient VALUES
	('01a202b4-6c9e-78bc-959b-27a32ba2d82d', '01a202b4-5d77-7397-915c-b8bc7b761ec4', 'Aaron', 'Feldman', '1958-02-07', 'NC-1001', 'male', '+14155550101', NULL, '2026-11-22 10:01:48.447568+00'),
	('01a202b4-6ca7-79db-a19a-32e518efaf36', '01a202b4-5d77-7397-915c-b8bc7b761ec4', 'Bianca', 'Russo', '1987-08-12', 'NC-1002', 'female', '+14155550102', NULL, '2026-11-22 10:01:48.500033+00'),
	('01a202b4-6cd7-716e-b230-d934848ee6b1', '01a202b4-5d77-7397-915c-b8bc7b761ec4', 'Cedric', 'Laurent', '1993-03-31', 'NC-1003', 'male', '+14155550103', NULL, '2026-11-22 10:01:48.51866+00'),
	('01a202b4-6ce8-759a-90c7-8b503fb110c5', '01a202b4-5d77-7397-915c-b8bc7b761ec4', 'Dolores', 'Vega', '1944-12-18', 'NC-1004', 'female', NULL, 'dolores.vega@patients.example', '2026-11-22 10:01:48.52701+00'),
	('01a202b4-6cf2-7b49-b102-e5a82974e1a6', '01a202b4-5d77-7397-915c-b8bc7b761ec4', 'Emeka', 'Obi', '1979-10-09', 'NC-1005', 'male', '+14155550105', NULL, '2026-11-22 10:01:48.553088+00'),
	('01a202b4-6d0c-7b0a-a9fd-b18cbd3c9e6e', '01a202b4-5d77-7397-915c-b8bc7b761ec4', 'Freya', 'Lund', '2003-06-23', 'NC-1006', 'female', '+14155550106', NULL, '2026-11-22 10:01:48.571541+00'),
	('01a202b4-6d31-7c24-816b-6a334d9e20ed', '01a202b4-5d77-7397-915c-b8bc7b761ec4', 'George', 'Papadakis', '1965-01-16', 'NC-1007', 'male', '+14155550107', NULL, '2026-11-22 10:01:48.597165+00'),
	('01a202b4-6d36-751a-bda3-76d79a83079e', '01a202b4-5d77-7397-915c-b8bc7b761ec4', 'Hye-jin', 'Seo', '1991-09-05', 'NC-1008', 'female', NULL, 'hye-jin.seo@patients.example', '2026-11-22 10:01:48.613274+00'),
	('01a202b4-6d47-730e-8d3b-b59b9e8ff27c', '01a202b4-5d77-7397-915c-b8bc7b761ec4', 'Ivan', 'Petrov', '1972-04-29', 'NC-1009', 'male', '+14155550109', NULL, '2026-11-22 10:01:48.626118+00'),
	('01a202b4-6d7d-713d-8280-648bb711cb67', '01a202b4-5d77-7397-915c-b8bc7b761ec4', 'Jamila', 'Aziz', '1999-11-11', 'NC-1010', 'female', '+14155550110', NULL, '2026-11-22 10:01:48.669919+00'),
	('01a202b4-6d96-74e0-a813-fbfee0d0b4c2', '01a202b4-5d77-7397-915c-b8bc7b761ec4', 'Karl', 'Svensson', '1950-07-02', 'NC-1011', 'male', '+14155550111', NULL, '2026-11-22 10:01:48.698622+00'),
	('01a202b4-6dc8-7457-a50d-bc4529eb30be', '01a202b4-5d77-7397-915c-b8bc7b761ec4', 'Lucia', 'Ferrari', '2006-05-14', 'NC-1012', 'female', NULL, 'lucia.ferrari@patients.example', '2026-11-22 10:01:48.746754+00'),
	('01a202b4-7c9d-7254-8dd4-e0c64fbb32be', '01a202b4-5d71-74ba-8212-69b01d602317', 'Agnes', 'Whitlow', '1948-03-11', 'HS-1001', 'female', '+12125550101', NULL, '2026-11-22 10:01:52.575025+00'),
	('01a202b4-7cca-7563-a7f9-94c7abc4c4b0', '01a202b4-5d71-74ba-8212-69b01d602317', 'Bernard', 'Castillo', '1962-09-27', 'HS-1002', 'male', '+12125550102', NULL, '2026-11-22 10:01:52.59025+00'),
	('01a202b4-7ce5-77bb-8b1e-909b01bfd947', '01a202b4-5d71-74ba-8212-69b01d602317', 'Carmen', 'Delgado', '1990-01-19', 'HS-1003', 'female', '+12125550103', NULL, '2026-11-22 10:01:52.613988+00'),
	('01a202b4-7ced-73df-bf54-b4684b67f41f', '01a202b4-5d71-74ba-8212-69b01d602317', 'Dmitri', 'Volkov', '1975-06-02', 'HS-1004', 'male', NULL, 'dmitri.volkov@patients.example', '2026-11-22 10:01:52.621807+00'),
	('01a202b4-7d05-7933-ac6a-6aa89bd1f55d', '01a202b4-5d71-74ba-8212-69b01d602317', 'Esther', 'Njoroge', '1983-12-24', 'HS-1005', 'female', '+12125550105', NULL, '2026-11-22 10:01:52.648501+00'),
	('01a202b4-7d10-75db-a38d-36cd3148a06e', '01a202b4-5d71-74ba-8212-69b01d602317', 'Finn', 'Gallagher', '2009-04-08', 'HS-1006', 'male', '+12125550106', NULL, '2026-11-22 10:01:52.686863+00'),
	('01a202b4-7d62-7bd1-a7db-3a62fc335b65', '01a202b4-5d71-74ba-8212-69b01d602317', 'Grace', 'Halloran', '1956-07-30', 'HS-1007', 'female', '+12125550107', NULL, '2026-11-22 10:01:52.76239+00'),
	('01a202b4-7d7d-7af1-936c-edf8260a4dcf', '01a202b4-5d71-74ba-8212-69b01d602317', 'Hiro', 'Tanaka', '1997-10-15', 'HS-1008', 'male', NULL, 'hiro.tanaka@patients.example', '2026-11-22 10:01:52.77619+00'),
	('01a202b4-7d97-7f5d-b895-f85794c67e92', '01a202b4-5d71-74ba-8212-69b01d602317', 'Ines', 'Moreira', '2001-02-21', 'HS-1009', 'female', '+12125550109', NULL, '2026-11-22 10:01:52.792468+00'),
	('01a202b4-7d9f-742e-8292-4551b66729f7', '01a202b4-5d71-74ba-8212-69b01d602317', 'Jonas', 'Weber', '1969-11-05', 'HS-1010', 'male', '+12125550110', NULL, '2026-11-22 10:01:52.800092+00'),
	('01a202b4-7dcc-7792-bbc0-35c9dbcbad9b', '01a202b4-5d71-74ba-8212-69b01d602317', 'Kayla', 'Brooks', '2014-08-17', 'HS-1011', 'female', '+12125550111', NULL, '2026-11-22 10:01:52.844935+00'),
	('01a202b4-7dcf-7ae7-9a6b-e2baaae708de', '01a202b4-5d71-74ba-8212-69b01d602317', 'Leon', 'Abara', '1994-05-26', 'HS-1012', 'nonbinary', NULL, 'leon.abara@patients.example', '2026-11-22 10:01:52.84823+00'),
	('01a202b4-8b0b-7a29-8b53-668294a38fe7', '01a202b4-5d72-7094-bcf5-f23c78c3da22', 'Amara', 'Diallo', '2016-01-09', 'LP-1001', 'female', '+13125550101', NULL, '2026-11-22 10:01:56.248145+00'),
	('01a202b4-8b28-7937-9f29-ebc7b6e49f62', '01a202b4-5d72-7094-bcf5-f23c78c3da22', 'Benjamin', 'Katz', '2019-07-13', 'LP-1002', 'male', '+13125550102', NULL, '2026-11-22 10:01:56.277408+00'),
	('01a202b4-8b3b-7efd-b8e3-a93a93f15bfe', '01a202b4-5d72-7094-bcf5-f23c78c3da22', 'Chloe', 'Martin', '2012-10-04', 'LP-1003', 'female', '+13125550103', NULL, '2026-11-22 10:01:56.298714+00'),
	('01a202b4-8b51-740a-acec-e68eca44ec54', '01a202b4-5d72-7094-bcf5-f23c78c3da22', 'Diego', 'Fuentes', '2021-03-28', 'LP-1004', 'male', NULL, 'diego.fuentes@patients.example', '2026-11-22 10:01:56.320234+00'),
	('01a202b4-8b69-7f2c-adc2-babece2f5a65', '01a202b4-5d72-7094-bcf5-f23c78c3da22', 'Elif', 'Yilmaz', '2018-12-01', 'LP-1005', 'female', '+13125550105', NULL, '2026-11-22 10:01:56.338301+00'),
	('01a202b4-8b75-75a0-938c-6b7f589ce3bf', '01a202b4-5d72-7094-bcf5-f23c78c3da22', 'Felix', 'Brandt', '2015-05-22', 'LP-1006', 'male', '+13125550106', NULL, '2026-11-22 10:01:56.34182+00'),
	('01a202b4-8b79-75f8-9681-5e41e7ab5024', '01a202b4-5d72-7094-bcf5-f23c78c3da22', 'Giulia', 'Rinaldi', '2020-09-10', 'LP-1007', 'female', '+13125550107', NULL, '2026-11-22 10:01:56.349104+00'),
	('01a202b4-8b85-75f3-a203-1013e9e48e8e', '01a202b4-5d72-7094-bcf5-f23c78c3da22', 'Hassan', 'Farouk', '2013-02-14', 'LP-1008', 'male', NULL, 'hassan.farouk@patients.example', '2026-11-22 10:01:56.358705+00'),
	('01a202b4-8b88-7a3a-9e83-65fe353206fb', '01a202b4-5d72-7094-bcf5-f23c78c3da22', 'Isla', 'Campbell', '2017-06-19', 'LP-1009', 'female', '+13125550109', NULL, '2026-11-22 10:01:56.364743+00'),
	('01a202b4-8b91-7638-a7ef-fd7322b0af45', '01a202b4-5d72-7094-bcf5-f23c78c3da22', 'Jasper', 'Nguyen', '2022-11-30', 'LP-1010', 'male', '+13125550110', NULL, '2026-11-22 10:01:56.372739+00'),
	('01a202b4-8b9d-7591-96c2-8895e6ff765e', '01a202b4-5d72-7094-bcf5-f23c78c3da22', 'Keziah', 'Mensah', '2011-08-03', 'LP-1011', 'female', '+13125550111', NULL, '2026-11-22 10:01:56.381926+00'),
	('01a202b4-8ba8-7d32-832a-903488a78ebb', '01a202b4-5d72-7094-bcf5-f23c78c3da22', 'Liam', 'Kowalski', '2014-04-25', 'LP-1012', 'male', NULL, 'liam.kowalski@patients.example', '2026-11-22 10:01:56.393655+00');


--
-- Data for Name: pgqueuer; Type: TABLE DATA; Schema: public; Owner: -
--



--
-- Data for Name: pgqueuer_log; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.pgqueuer_log VALUES
	(1, '2026-11-22 10:02:00.861268+00', 1, 'queued', 0, 'plans.tell_ended', NULL, false),
	(2, '2026-11-22 10:02:00.861268+00', 2, 'queued', 0, 'plans.tell_ended', NULL, false),
	(3, '2026-11-22 10:02:00.861268+00', 3, 'queued', 0, 'plans.tell_ended', NULL, false),
	(4, '2026-11-22 10:02:01.138021+00', 1, 'picked', 0, 'plans.tell_ended', NULL, false),
	(5, '2026-11-22 10:02:01.138021+00', 2, 'picked', 0, 'plans.tell_ended', NULL, false),
	(6, '2026-11-22 10:02:01.138021+00', 3, 'picked', 0, 'plans.tell_ended', NULL, false),
	(7, '2026-11-22 10:02:02.691412+00', 1, 'successful', 0, 'plans.tell_ended', NULL, false),
	(8, '2026-11-22 10:02:02.691412+00', 2, 'successful', 0, 'plans.tell_ended', NULL, false),
	(9, '2026-11-22 10:02:02.691412+00', 3, 'successful', 0, 'plans.tell_ended', NULL, false);


--
-- Data for Name: pgqueuer_schedules; Type: TABLE DATA; Schema: public; Owner: -
--



--
-- Data for Name: pgqueuer_statistics; Type: TABLE DATA; Schema: public; Owner: -
--



--
-- Data for Name: plan; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.plan VALUES
	('01a202b4-5d77-7397-915c-b8bc7b761ec4', 'premium', NULL, NULL, '2026-11-22 10:02:00.940871+00'),
	('01a202b4-5d71-74ba-8212-69b01d602317', 'starter', NULL, NULL, '2026-11-22 10:02:03.962551+00'),
	('01a202b4-5d72-7094-bcf5-f23c78c3da22', 'enhanced', NULL, NULL, '2026-11-22 10:02:04.089085+00');


--
-- Data for Name: plan_item; Type: TABLE DATA; Schema: public; Owner: -
--



--
-- Data for Name: practice; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.practice VALUES
	('01a202b4-5d77-7397-915c-b8bc7b761ec4', 'Northgate Clinic', 'America/Los_Angeles', 2, '2026-11-22 10:01:44.567281+00'),
	('01a202b4-5d71-74ba-8212-69b01d602317', 'Harbor Street Practice', 'America/New_York', 2, '2026-11-22 10:01:44.561329+00'),
	('01a202b4-5d72-7094-bcf5-f23c78c3da22', 'Lakeside Pediatrics', 'America/Chicago', 2, '2026-11-22 10:01:44.562066+00');


--
-- Data for Name: session; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.session VALUES
	('01a202b4-9515-727c-8282-2e373c68c1e7', '01a202b4-5de5-7bd6-bdb0-e2ce218b7168', '01a202b4-6be5-744c-b44f-e1d96dc24837', '\x8bfbafc0e22ffaec048deb2dace8b31c411aff90788d21688ce7bd396c165608', '2026-11-22 10:01:58.805196+00', '2026-11-22 22:01:58.805196+00', '2026-11-22 10:02:03.697773+00'),
	('01a202b4-9a85-73f0-97fa-ab811a123a61', '01a202b4-5deb-781e-9a84-f5b10a70ae3b', '01a202b4-6c31-73a6-8e6e-796fcda9ff55', '\x892f97178c1d5e7e0e60b0604bd1c0b3570afbe56d263e3895615de216a9581e', '2026-11-22 10:02:00.197281+00', '2026-11-22 22:02:00.197281+00', '2026-11-22 10:02:03.744357+00'),
	('01a202b4-9a49-711f-a9c5-c72508082f4f', '01a202b4-5df6-738f-a4ca-81359c98684f', '01a202b4-7c63-700e-9e9a-365dc909eaed', '\x12b871d02b1e9557c52b0682e5d9c1c108eb75c159bcac406b2273c68a086ed0', '2026-11-22 10:02:00.137118+00', '2026-11-22 22:02:00.137118+00', '2026-11-22 10:02:03.997098+00'),
	('01a202b4-a37d-7dd6-9ca1-10d567530d3e', '01a202b4-5df6-76e3-b097-dbf010aa8979', '01a202b4-7c7d-7632-bc12-e175c0a157cb', '\x812c380812b0cb381a0ee27673503dea35d0c1a4b384350d7d487d85b64f4e0f', '2026-11-22 10:02:02.493877+00', '2026-11-22 22:02:02.493877+00', '2026-11-22 10:02:04.021324+00'),
	('01a202b4-953f-751e-9fa8-60acfe35f5b2', '01a202b4-5df6-786e-908c-c368804ec5f3', '01a202b4-8ae5-7582-97dc-8721ab4c7503', '\x7b30e24a47e13d646fb67cc7a34eb9a2959fa1bf63058bd3c4bfd2dc04529832', '2026-11-22 10:01:58.847351+00', '2026-11-22 22:01:58.847351+00', '2026-11-22 10:02:04.110437+00'),
	('01a202b4-a37d-78f4-90a7-396db3e17f6c', '01a202b4-5df6-794f-b51c-1bfc4908fbc0', '01a202b4-8af7-73cd-8d13-72b426ee5b0b', '\x38743884271a8d76a2896a6ce1317e85d24fdc7bc0c97d1ad9a7e66353d182ff', '2026-11-22 10:02:02.493605+00', '2026-11-22 22:02:02.493605+00', '2026-11-22 10:02:04.137223+00'),
	('01a202b4-8fb7-78e0-b2c3-db76d218089e', '01a202b4-5d71-7131-afb5-2079ba27a31c', NULL, '\xdca3427fbaffb9449a6df632ecc82feafa118e0633f2a14d108641492ffc534e', '2026-11-22 10:01:57.431599+00', '2026-11-22 22:01:57.431599+00', '2026-11-22 10:02:04.210107+00');


--
-- Data for Name: setting; Type: TABLE DATA; Schema: public; Owner: -
--



--
-- Name: migration_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.migration_id_seq', 4, true);


--
-- Name: pgqueuer_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.pgqueuer_id_seq', 3, true);


--
-- Name: pgqueuer_log_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.pgqueuer_log_id_seq', 9, true);


--
-- Name: pgqueuer_schedules_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.pgqueuer_schedules_id_seq', 1, false);


--
-- Name: pgqueuer_statistics_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.pgqueuer_statistics_id_seq', 1, false);


--
-- Name: account account_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.account
    ADD CONSTRAINT account_pkey PRIMARY KEY (id);


--
-- Name: clock clock_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.clock
    ADD CONSTRAINT clock_pkey PRIMARY KEY (one);


--
-- Name: conversation conversation_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.conversation
    ADD CONSTRAINT conversation_pkey PRIMARY KEY (id);


--
-- Name: conversation conversation_practice_id_direct_key_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.conversation
    ADD CONSTRAINT conversation_practice_id_direct_key_key UNIQUE (practice_id, direct_key);


--
-- Name: conversation conversation_practice_id_id_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.conversation
    ADD CONSTRAINT conversation_practice_id_id_key UNIQUE (practice_id, id);


--
-- Name: conversation_start conversation_start_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.conversation_start
    ADD CONSTRAINT conversation_start_pkey PRIMARY KEY (practice_id, person_id, client_id);


--
-- Name: credential credential_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.credential
    ADD CONSTRAINT credential_pkey PRIMARY KEY (account_id);


--
-- Name: job_attempt job_attempt_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.job_attempt
    ADD CONSTRAINT job_attempt_pkey PRIMARY KEY (job_id);


--
-- Name: job_schedule job_schedule_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.job_schedule
    ADD CONSTRAINT job_schedule_pkey PRIMARY KEY (name);


--
-- Name: member member_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.member
    ADD CONSTRAINT member_pkey PRIMARY KEY (id);


--
-- Name: member member_practice_id_account_id_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.member
    ADD CONSTRAINT member_practice_id_account_id_key UNIQUE (practice_id, account_id);


--
-- Name: member member_practice_id_id_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.member
    ADD CONSTRAINT member_practice_id_id_key UNIQUE (practice_id, id);


--
-- Name: message message_conversation_id_position_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.message
    ADD CONSTRAINT message_conversation_id_position_key UNIQUE (conversation_id, "position");


--
-- Name: message message_conversation_id_sender_id_client_id_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.message
    ADD CONSTRAINT message_conversation_id_sender_id_client_id_key UNIQUE (conversation_id, sender_id, client_id);


--
-- Name: message message_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.message
    ADD CONSTRAINT message_pkey PRIMARY KEY (id);


--
-- Name: migration migration_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.migration
    ADD CONSTRAINT migration_pkey PRIMARY KEY (id);


--
-- Name: participant participant_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.participant
    ADD CONSTRAINT participant_pkey PRIMARY KEY (conversation_id, person_id);


--
-- Name: patient patient_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.patient
    ADD CONSTRAINT patient_pkey PRIMARY KEY (id);


--
-- Name: patient patient_practice_id_id_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.patient
    ADD CONSTRAINT patient_practice_id_id_key UNIQUE (practice_id, id);


--
-- Name: patient patient_practice_id_mrn_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.patient
    ADD CONSTRAINT patient_practice_id_mrn_key UNIQUE (practice_id, mrn);


--
-- Name: pgqueuer_log pgqueuer_log_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.pgqueuer_log
    ADD CONSTRAINT pgqueuer_log_pkey PRIMARY KEY (id);


--
-- Name: pgqueuer pgqueuer_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.pgqueuer
    ADD CONSTRAINT pgqueuer_pkey PRIMARY KEY (id);


--
-- Name: pgqueuer_schedules pgqueuer_schedules_expression_entrypoint_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.pgqueuer_schedules
    ADD CONSTRAINT pgqueuer_schedules_expression_entrypoint_key UNIQUE (expression, entrypoint);


--
-- Name: pgqueuer_schedules pgqueuer_schedules_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.pgqueuer_schedules
    ADD CONSTRAINT pgqueuer_schedules_pkey PRIMARY KEY (id);


--
-- Name: pgqueuer_statistics pgqueuer_statistics_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.pgqueuer_statistics
    ADD CONSTRAINT pgqueuer_statistics_pkey PRIMARY KEY (id);


--
-- Name: plan_item plan_item_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.plan_item
    ADD CONSTRAINT plan_item_pkey PRIMARY KEY (id);


--
-- Name: plan_item plan_item_practice_id_kind_key_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.plan_item
    ADD CONSTRAINT plan_item_practice_id_kind_key_key UNIQUE (practice_id, kind, key);


--
-- Name: plan plan_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.plan
    ADD CONSTRAINT plan_pkey PRIMARY KEY (practice_id);


--
-- Name: practice practice_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.practice
    ADD CONSTRAINT practice_pkey PRIMARY KEY (id);


--
-- Name: session session_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.session
    ADD CONSTRAINT session_pkey PRIMARY KEY (id);


--
-- Name: session session_token_hash_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.session
    ADD CONSTRAINT session_token_hash_key UNIQUE (token_hash);


--
-- Name: setting setting_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.setting
    ADD CONSTRAINT setting_pkey PRIMARY KEY (id);


--
-- Name: setting setting_practice_id_plugin_member_id_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.setting
    ADD CONSTRAINT setting_practice_id_plugin_member_id_key UNIQUE NULLS NOT DISTINCT (practice_id, plugin, member_id);


--
-- Name: account_email; Type: INDEX; Schema: public; Owner: -
--

CREATE UNIQUE INDEX account_email ON public.account USING btree (lower(email));


--
-- Name: member_by_account; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX member_by_account ON public.member USING btree (account_id);


--
-- Name: member_by_name; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX member_by_name ON public.member USING btree (practice_id, last_name, first_name, id) WHERE active;


--
-- Name: participant_by_person; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX participant_by_person ON public.participant USING btree (person_id, conversation_id);


--
-- Name: patient_by_name; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX patient_by_name ON public.patient USING btree (practice_id, last_name, first_name, id);


--
-- Name: pgqueuer_ep_ea_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX pgqueuer_ep_ea_idx ON public.pgqueuer USING btree (entrypoint, execute_after) WHERE (status = 'queued'::public.pgqueuer_status);


--
-- Name: pgqueuer_ep_prio_id_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX pgqueuer_ep_prio_id_idx ON public.pgqueuer USING btree (entrypoint, priority DESC, id) WHERE (status = 'queued'::public.pgqueuer_status);


--
-- Name: pgqueuer_log_created; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX pgqueuer_log_created ON public.pgqueuer_log USING btree (created);


--
-- Name: pgqueuer_log_job_id_status; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX pgqueuer_log_job_id_status ON public.pgqueuer_log USING btree (job_id, created DESC);


--
-- Name: pgqueuer_log_not_aggregated; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX pgqueuer_log_not_aggregated ON public.pgqueuer_log USING btree ((1)) WHERE (NOT aggregated);


--
-- Name: pgqueuer_log_status; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX pgqueuer_log_status ON public.pgqueuer_log USING btree (status);


--
-- Name: pgqueuer_picked_heartbeat_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX pgqueuer_picked_heartbeat_idx ON public.pgqueuer USING btree (heartbeat) WHERE (status = 'picked'::public.pgqueuer_status);


--
-- Name: pgqueuer_picked_slot_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE UNIQUE INDEX pgqueuer_picked_slot_idx ON public.pgqueuer USING btree (entrypoint, slot) WHERE ((status = 'picked'::public.pgqueuer_status) AND (slot IS NOT NULL));


--
-- Name: pgqueuer_priority_id_id1_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX pgqueuer_priority_id_id1_idx ON public.pgqueuer USING btree (priority, id DESC) INCLUDE (id) WHERE (status = 'queued'::public.pgqueuer_status);


--
-- Name: pgqueuer_queue_manager_id_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX pgqueuer_queue_manager_id_idx ON public.pgqueuer USING btree (queue_manager_id) WHERE (queue_manager_id IS NOT NULL);


--
-- Name: pgqueuer_statistics_unique_count; Type: INDEX; Schema: public; Owner: -
--

CREATE UNIQUE INDEX pgqueuer_statistics_unique_count ON public.pgqueuer_statistics USING btree (priority, date_trunc('sec'::text, timezone('UTC'::text, created)), status, entrypoint);


--
-- Name: pgqueuer_unique_dedupe_key; Type: INDEX; Schema: public; Owner: -
--

CREATE UNIQUE INDEX pgqueuer_unique_dedupe_key ON public.pgqueuer USING btree (dedupe_key) WHERE ((status = ANY (ARRAY['queued'::public.pgqueuer_status, 'picked'::public.pgqueuer_status])) AND (dedupe_key IS NOT NULL));


--
-- Name: pgqueuer_updated_id_id1_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX pgqueuer_updated_id_id1_idx ON public.pgqueuer USING btree (updated, id DESC) INCLUDE (id) WHERE (status = 'picked'::public.pgqueuer_status);


--
-- Name: session_by_account; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX session_by_account ON public.session USING btree (account_id);


--
-- Name: pgqueuer tg_pgqueuer_changed; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER tg_pgqueuer_changed AFTER INSERT OR DELETE OR UPDATE OR TRUNCATE ON public.pgqueuer FOR EACH STATEMENT EXECUTE FUNCTION public.fn_pgqueuer_changed();


--
-- Name: conversation conversation_practice_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.conversation
    ADD CONSTRAINT conversation_practice_id_fkey FOREIGN KEY (practice_id) REFERENCES public.practice(id);


--
-- Name: conversation_start conversation_start_practice_id_conversation_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.conversation_start
    ADD CONSTRAINT conversation_start_practice_id_conversation_id_fkey FOREIGN KEY (practice_id, conversation_id) REFERENCES public.conversation(practice_id, id) ON DELETE CASCADE;


--
-- Name: credential credential_account_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.credential
    ADD CONSTRAINT credential_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.account(id) ON DELETE CASCADE;


--
-- Name: job_attempt job_attempt_job_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.job_attempt
    ADD CONSTRAINT job_attempt_job_id_fkey FOREIGN KEY (job_id) REFERENCES public.pgqueuer(id) ON DELETE CASCADE;


--
-- Name: member member_account_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.member
    ADD CONSTRAINT member_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.account(id);


--
-- Name: member member_practice_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.member
    ADD CONSTRAINT member_practice_id_fkey FOREIGN KEY (practice_id) REFERENCES public.practice(id);


--
-- Name: message message_practice_id_conversation_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.message
    ADD CONSTRAINT message_practice_id_conversation_id_fkey FOREIGN KEY (practice_id, conversation_id) REFERENCES public.conversation(practice_id, id) ON DELETE CASCADE;


--
-- Name: participant participant_practice_id_conversation_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.participant
    ADD CONSTRAINT participant_practice_id_conversation_id_fkey FOREIGN KEY (practice_id, conversation_id) REFERENCES public.conversation(practice_id, id) ON DELETE CASCADE;


--
-- Name: patient patient_practice_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.patient
    ADD CONSTRAINT patient_practice_id_fkey FOREIGN KEY (practice_id) REFERENCES public.practice(id);


--
-- Name: plan_item plan_item_practice_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.plan_item
    ADD CONSTRAINT plan_item_practice_id_fkey FOREIGN KEY (practice_id) REFERENCES public.plan(practice_id);


--
-- Name: plan plan_practice_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.plan
    ADD CONSTRAINT plan_practice_id_fkey FOREIGN KEY (practice_id) REFERENCES public.practice(id);


--
-- Name: session session_account_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.session
    ADD CONSTRAINT session_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.account(id) ON DELETE CASCADE;


--
-- Name: session session_member_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.session
    ADD CONSTRAINT session_member_id_fkey FOREIGN KEY (member_id) REFERENCES public.member(id);


--
-- Name: setting setting_practice_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.setting
    ADD CONSTRAINT setting_practice_id_fkey FOREIGN KEY (practice_id) REFERENCES public.practice(id);


--
-- Name: setting setting_practice_id_member_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.setting
    ADD CONSTRAINT setting_practice_id_member_id_fkey FOREIGN KEY (practice_id, member_id) REFERENCES public.member(practice_id, id);


--
-- Name: account; Type: ROW SECURITY; Schema: public; Owner: -
--

ALTER TABLE public.account ENABLE ROW LEVEL SECURITY;

--
-- Name: clock; Type: ROW SECURITY; Schema: public; Owner: -
--

ALTER TABLE public.clock ENABLE ROW LEVEL SECURITY;

--
-- Name: conversation; Type: ROW SECURITY; Schema: public; Owner: -
--

ALTER TABLE public.conversation ENABLE ROW LEVEL SECURITY;

--
-- Name: conversation_start; Type: ROW SECURITY; Schema: public; Owner: -
--

ALTER TABLE public.conversation_start ENABLE ROW LEVEL SECURITY;

--
-- Name: credential; Type: ROW SECURITY; Schema: public; Owner: -
--

ALTER TABLE public.credential ENABLE ROW LEVEL SECURITY;

--
-- Name: job_attempt; Type: ROW SECURITY; Schema: public; Owner: -
--

ALTER TABLE public.job_attempt ENABLE ROW LEVEL SECURITY;

--
-- Name: job_schedule; Type: ROW SECURITY; Schema: public; Owner: -
--

ALTER TABLE public.job_schedule ENABLE ROW LEVEL SECURITY;

--
-- Name: member; Type: ROW SECURITY; Schema: public; Owner: -
--

ALTER TABLE public.member ENABLE ROW LEVEL SECURITY;

--
-- Name: message; Type: ROW SECURITY; Schema: public; Owner: -
--

ALTER TABLE public.message ENABLE ROW LEVEL SECURITY;

--
-- Name: migration; Type: ROW SECURITY; Schema: public; Owner: -
--

ALTER TABLE public.migration ENABLE ROW LEVEL SECURITY;

--
-- Name: conversation participant; Type: POLICY; Schema: public; Owner: -
--

CREATE POLICY participant ON public.conversation FOR SELECT TO bedside_application USING (public.chat_takes_part(id));


--
-- Name: conversation_start participant; Type: POLICY; Schema: public; Owner: -
--

CREATE POLICY participant ON public.conversation_start FOR SELECT TO bedside_application USING ((person_id = ( SELECT public.app_person() AS app_person)));


--
-- Name: message participant; Type: POLICY; Schema: public; Owner: -
--

CREATE POLICY participant ON public.message FOR SELECT TO bedside_application USING (public.chat_takes_part(conversation_id));


--
-- Name: participant; Type: ROW SECURITY; Schema: public; Owner: -
--

ALTER TABLE public.participant ENABLE ROW LEVEL SECURITY;

--
-- Name: participant participant; Type: POLICY; Schema: public; Owner: -
--

CREATE POLICY participant ON public.participant FOR SELECT TO bedside_application USING (public.chat_takes_part(conversation_id));


--
-- Name: patient; Type: ROW SECURITY; Schema: public; Owner: -
--

ALTER TABLE public.patient ENABLE ROW LEVEL SECURITY;

--
-- Name: pgqueuer; Type: ROW SECURITY; Schema: public; Owner: -
--

ALTER TABLE public.pgqueuer ENABLE ROW LEVEL SECURITY;

--
-- Name: pgqueuer_log; Type: ROW SECURITY; Schema: public; Owner: -
--

ALTER TABLE public.pgqueuer_log ENABLE ROW LEVEL SECURITY;

--
-- Name: pgqueuer_schedules; Type: ROW SECURITY; Schema: public; Owner: -
--

ALTER TABLE public.pgqueuer_schedules ENABLE ROW LEVEL SECURITY;

--
-- Name: pgqueuer_statistics; Type: ROW SECURITY; Schema: public; Owner: -
--

ALTER TABLE public.pgqueuer_statistics ENABLE ROW LEVEL SECURITY;

--
-- Name: plan; Type: ROW SECURITY; Schema: public; Owner: -
--

ALTER TABLE public.plan ENABLE ROW LEVEL SECURITY;

--
-- Name: plan_item; Type: ROW SECURITY; Schema: public; Owner: -
--

ALTER TABLE public.plan_item ENABLE ROW LEVEL SECURITY;

--
-- Name: conversation practice; Type: POLICY; Schema: public; Owner: -
--

CREATE POLICY practice ON public.conversation TO bedside_application USING ((practice_id = ( SELECT public.app_practice() AS app_practice))) WITH CHECK ((practice_id = ( SELECT public.app_practice() AS app_practice)));


--
-- Name: conversation_start practice; Type: POLICY; Schema: public; Owner: -
--

CREATE POLICY practice ON public.conversation_start TO bedside_application USING ((practice_id = ( SELECT public.app_practice() AS app_practice))) WITH CHECK ((practice_id = ( SELECT public.app_practice() AS app_practice)));


--
-- Name: member practice; Type: POLICY; Schema: public; Owner: -
--

CREATE POLICY practice ON public.member TO bedside_application USING ((practice_id = ( SELECT public.app_practice() AS app_practice))) WITH CHECK ((practice_id = ( SELECT public.app_practice() AS app_practice)));


--
-- Name: message practice; Type: POLICY; Schema: public; Owner: -
--

CREATE POLICY practice ON public.message TO bedside_application USING ((practice_id = ( SELECT public.app_practice() AS app_practice))) WITH CHECK ((practice_id = ( SELECT public.app_practice() AS app_practice)));


--
-- Name: participant practice; Type: POLICY; Schema: public; Owner: -
--

CREATE POLICY practice ON public.participant TO bedside_application USING ((practice_id = ( SELECT public.app_practice() AS app_practice))) WITH CHECK ((practice_id = ( SELECT public.app_practice() AS app_practice)));


--
-- Name: patient practice; Type: POLICY; Schema: public; Owner: -
--

CREATE POLICY practice ON public.patient TO bedside_application USING ((practice_id = ( SELECT public.app_practice() AS app_practice))) WITH CHECK ((practice_id = ( SELECT public.app_practice() AS app_practice)));


--
-- Name: plan practice; Type: POLICY; Schema: public; Owner: -
--

CREATE POLICY practice ON public.plan TO bedside_application USING ((practice_id = ( SELECT public.app_practice() AS app_practice))) WITH CHECK ((practice_id = ( SELECT public.app_practice() AS app_practice)));


--
-- Name: plan_item practice; Type: POLICY; Schema: public; Owner: -
--

CREATE POLICY practice ON public.plan_item TO bedside_application USING ((practice_id = ( SELECT public.app_practice() AS app_practice))) WITH CHECK ((practice_id = ( SELECT public.app_practice() AS app_practice)));


--
-- Name: practice; Type: ROW SECURITY; Schema: public; Owner: -
--

ALTER TABLE public.practice ENABLE ROW LEVEL SECURITY;

--
-- Name: setting practice; Type: POLICY; Schema: public; Owner: -
--

CREATE POLICY practice ON public.setting TO bedside_application USING ((practice_id = ( SELECT public.app_practice() AS app_practice))) WITH CHECK ((practice_id = ( SELECT public.app_practice() AS app_practice)));


--
-- Name: migration readable; Type: POLICY; Schema: public; Owner: -
--

CREATE POLICY readable ON public.migration FOR SELECT TO bedside_application USING (true);


--
-- Name: session; Type: ROW SECURITY; Schema: public; Owner: -
--

ALTER TABLE public.session ENABLE ROW LEVEL SECURITY;

--
-- Name: setting; Type: ROW SECURITY; Schema: public; Owner: -
--

ALTER TABLE public.setting ENABLE ROW LEVEL SECURITY;

--
-- Name: job_attempt worker; Type: POLICY; Schema: public; Owner: -
--

CREATE POLICY worker ON public.job_attempt TO bedside_queue USING (true) WITH CHECK (true);


--
-- Name: job_schedule worker; Type: POLICY; Schema: public; Owner: -
--

CREATE POLICY worker ON public.job_schedule TO bedside_queue USING (true) WITH CHECK (true);


--
-- Name: pgqueuer worker; Type: POLICY; Schema: public; Owner: -
--

CREATE POLICY worker ON public.pgqueuer TO bedside_queue USING (true) WITH CHECK (true);


--
-- Name: pgqueuer_log worker; Type: POLICY; Schema: public; Owner: -
--

CREATE POLICY worker ON public.pgqueuer_log TO bedside_queue USING (true) WITH CHECK (true);


--
-- Name: pgqueuer_schedules worker; Type: POLICY; Schema: public; Owner: -
--

CREATE POLICY worker ON public.pgqueuer_schedules TO bedside_queue USING (true) WITH CHECK (true);


--
-- Name: pgqueuer_statistics worker; Type: POLICY; Schema: public; Owner: -
--

CREATE POLICY worker ON public.pgqueuer_statistics TO bedside_queue USING (true) WITH CHECK (true);


--
-- Name: SCHEMA public; Type: ACL; Schema: -; Owner: -
--

GRANT USAGE ON SCHEMA public TO bedside_application;
GRANT USAGE ON SCHEMA public TO bedside_queue;


--
-- Name: FUNCTION account_create(new_id uuid, new_email text, new_hash text, is_operator boolean, at timestamp with time zone); Type: ACL; Schema: public; Owner: -
--

REVOKE ALL ON FUNCTION public.account_create(new_id uuid, new_email text, new_hash text, is_operator boolean, at timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.account_create(new_id uuid, new_email text, new_hash text, is_operator boolean, at timestamp with time zone) TO bedside_application;


--
-- Name: FUNCTION auth_account(wanted text); Type: ACL; Schema: public; Owner: -
--

REVOKE ALL ON FUNCTION public.auth_account(wanted text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.auth_account(wanted text) TO bedside_application;


--
-- Name: FUNCTION auth_end_session(wanted uuid, at timestamp with time zone); Type: ACL; Schema: public; Owner: -
--

REVOKE ALL ON FUNCTION public.auth_end_session(wanted uuid, at timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.auth_end_session(wanted uuid, at timestamp with time zone) TO bedside_application;


--
-- Name: FUNCTION auth_open_session(new_id uuid, account uuid, member uuid, token bytea, at timestamp with time zone, until timestamp with time zone); Type: ACL; Schema: public; Owner: -
--

REVOKE ALL ON FUNCTION public.auth_open_session(new_id uuid, account uuid, member uuid, token bytea, at timestamp with time zone, until timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.auth_open_session(new_id uuid, account uuid, member uuid, token bytea, at timestamp with time zone, until timestamp with time zone) TO bedside_application;


--
-- Name: FUNCTION auth_session(token bytea, at timestamp with time zone); Type: ACL; Schema: public; Owner: -
--

REVOKE ALL ON FUNCTION public.auth_session(token bytea, at timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.auth_session(token bytea, at timestamp with time zone) TO bedside_application;


--
-- Name: FUNCTION chat_positions(wanted uuid[]); Type: ACL; Schema: public; Owner: -
--

REVOKE ALL ON FUNCTION public.chat_positions(wanted uuid[]) FROM PUBLIC;
GRANT ALL ON FUNCTION public.chat_positions(wanted uuid[]) TO bedside_application;


--
-- Name: FUNCTION chat_takes_part(conversation uuid); Type: ACL; Schema: public; Owner: -
--

REVOKE ALL ON FUNCTION public.chat_takes_part(conversation uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION public.chat_takes_part(conversation uuid) TO bedside_application;


--
-- Name: FUNCTION clock_move(by double precision); Type: ACL; Schema: public; Owner: -
--

REVOKE ALL ON FUNCTION public.clock_move(by double precision) FROM PUBLIC;
GRANT ALL ON FUNCTION public.clock_move(by double precision) TO bedside_application;


--
-- Name: FUNCTION clock_offset_seconds(); Type: ACL; Schema: public; Owner: -
--

REVOKE ALL ON FUNCTION public.clock_offset_seconds() FROM PUBLIC;
GRANT ALL ON FUNCTION public.clock_offset_seconds() TO bedside_application;


--
-- Name: FUNCTION clock_position(); Type: ACL; Schema: public; Owner: -
--

REVOKE ALL ON FUNCTION public.clock_position() FROM PUBLIC;
GRANT ALL ON FUNCTION public.clock_position() TO bedside_application;


--
-- Name: FUNCTION job_enqueue(job text, content bytea, practice uuid, same_key text); Type: ACL; Schema: public; Owner: -
--

REVOKE ALL ON FUNCTION public.job_enqueue(job text, content bytea, practice uuid, same_key text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.job_enqueue(job text, content bytea, practice uuid, same_key text) TO bedside_application;
GRANT ALL ON FUNCTION public.job_enqueue(job text, content bytea, practice uuid, same_key text) TO bedside_queue;


--
-- Name: FUNCTION job_held(); Type: ACL; Schema: public; Owner: -
--

REVOKE ALL ON FUNCTION public.job_held() FROM PUBLIC;
GRANT ALL ON FUNCTION public.job_held() TO bedside_application;


--
-- Name: FUNCTION job_requeue(wanted bigint); Type: ACL; Schema: public; Owner: -
--

REVOKE ALL ON FUNCTION public.job_requeue(wanted bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION public.job_requeue(wanted bigint) TO bedside_application;


--
-- Name: FUNCTION plan_of(wanted uuid); Type: ACL; Schema: public; Owner: -
--

REVOKE ALL ON FUNCTION public.plan_of(wanted uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION public.plan_of(wanted uuid) TO bedside_application;


--
-- Name: FUNCTION practice_by_id(wanted uuid); Type: ACL; Schema: public; Owner: -
--

REVOKE ALL ON FUNCTION public.practice_by_id(wanted uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION public.practice_by_id(wanted uuid) TO bedside_application;


--
-- Name: FUNCTION practice_changed(wanted uuid); Type: ACL; Schema: public; Owner: -
--

REVOKE ALL ON FUNCTION public.practice_changed(wanted uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION public.practice_changed(wanted uuid) TO bedside_application;


--
-- Name: FUNCTION practice_create(new_id uuid, new_name text, new_zone text, at timestamp with time zone); Type: ACL; Schema: public; Owner: -
--

REVOKE ALL ON FUNCTION public.practice_create(new_id uuid, new_name text, new_zone text, at timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.practice_create(new_id uuid, new_name text, new_zone text, at timestamp with time zone) TO bedside_application;


--
-- Name: FUNCTION practice_ids(); Type: ACL; Schema: public; Owner: -
--

REVOKE ALL ON FUNCTION public.practice_ids() FROM PUBLIC;
GRANT ALL ON FUNCTION public.practice_ids() TO bedside_application;
GRANT ALL ON FUNCTION public.practice_ids() TO bedside_queue;


--
-- Name: FUNCTION practice_page(size integer, after_name text, after_id uuid); Type: ACL; Schema: public; Owner: -
--

REVOKE ALL ON FUNCTION public.practice_page(size integer, after_name text, after_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION public.practice_page(size integer, after_name text, after_id uuid) TO bedside_application;


--
-- Name: FUNCTION practice_positions(wanted uuid[]); Type: ACL; Schema: public; Owner: -
--

REVOKE ALL ON FUNCTION public.practice_positions(wanted uuid[]) FROM PUBLIC;
GRANT ALL ON FUNCTION public.practice_positions(wanted uuid[]) TO bedside_application;


--
-- Name: FUNCTION session_positions(wanted uuid[], at timestamp with time zone); Type: ACL; Schema: public; Owner: -
--

REVOKE ALL ON FUNCTION public.session_positions(wanted uuid[], at timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.session_positions(wanted uuid[], at timestamp with time zone) TO bedside_application;


--
-- Name: TABLE conversation; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.conversation TO bedside_application;


--
-- Name: TABLE conversation_start; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.conversation_start TO bedside_application;


--
-- Name: TABLE job_attempt; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.job_attempt TO bedside_queue;


--
-- Name: TABLE job_schedule; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.job_schedule TO bedside_queue;


--
-- Name: TABLE member; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.member TO bedside_application;


--
-- Name: TABLE message; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.message TO bedside_application;


--
-- Name: TABLE migration; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT ON TABLE public.migration TO bedside_application;


--
-- Name: TABLE participant; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.participant TO bedside_application;


--
-- Name: TABLE patient; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.patient TO bedside_application;


--
-- Name: TABLE pgqueuer; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.pgqueuer TO bedside_queue;


--
-- Name: TABLE pgqueuer_log; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.pgqueuer_log TO bedside_queue;


--
-- Name: TABLE pgqueuer_schedules; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.pgqueuer_schedules TO bedside_queue;


--
-- Name: TABLE pgqueuer_statistics; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.pgqueuer_statistics TO bedside_queue;


--
-- Name: TABLE plan; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.plan TO bedside_application;


--
-- Name: TABLE plan_item; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.plan_item TO bedside_application;


--
-- Name: TABLE setting; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.setting TO bedside_application;


--
-- PostgreSQL database dump complete
--


