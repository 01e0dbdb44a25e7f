-- Run by the operator before each contestant: the product's own tables, and the tables of the contestants that only append.
DROP SCHEMA IF EXISTS timeline CASCADE;
CREATE SCHEMA timeline;
GRANT USAGE ON SCHEMA timeline TO handoff_projection_writer, handoff_projection_reader;
SET search_path TO timeline, public;
CALL public.lay_out_timeline();
CREATE TABLE appended (
    record_offset bigint PRIMARY KEY,
    event_id      text NOT NULL UNIQUE,
    source        text NOT NULL,
    type          text NOT NULL,
    subject       text NOT NULL,
    "time"        text NOT NULL,
    value         bytea
);
CREATE TABLE connected (
    __connect_topic     text NOT NULL,
    __connect_partition integer NOT NULL,
    __connect_offset    bigint PRIMARY KEY,
    id                  text NOT NULL UNIQUE,
    source              text NOT NULL,
    type                text NOT NULL,
    subject             text NOT NULL,
    "time"              text NOT NULL
);
GRANT SELECT, INSERT, UPDATE ON appended, connected TO handoff_projection_writer;
RESET search_path;
