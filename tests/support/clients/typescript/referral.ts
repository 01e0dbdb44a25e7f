// A referral from request to completion, with the types that openapi-typescript generates.
//
// `agency.d.ts` is generated from `schemas/openapi/agency.json`. The environment names the two nodes and their tokens.

import { randomUUID } from "node:crypto";
import createClient, { type Client } from "openapi-fetch";
import type { components, paths } from "./agency.js";

type Schemas = components["schemas"];
type Answer<T> = { data?: T; error?: unknown; response: Response };

const WAIT = "wait=20";
const PATIENCE_MS = 30_000;

async function main(): Promise<void> {
  const police = client("POLICE");
  const shelter = client("SHELTER");
  const { case: case_, referral } = await request(police);
  const requested = await until(shelter, referral, "referral.requested.v1");

  const path = { case: case_, referral };
  const header = { Prefer: WAIT };
  const shown = await shelter.GET("/cases/{case}/referrals/{referral}", { params: { path } });
  if (body(shown).state !== "requested") throw new Error("the shelter knows another state");
  effective(await shelter.POST("/cases/{case}/referrals/{referral}/opening", { params: { path, header }, body: {} }));
  const etag = shown.response.headers.get("ETag");
  if (etag === null) throw new Error("a referral has no ETag");
  const stale = await shelter.POST("/cases/{case}/referrals/{referral}/acceptance", {
    params: { path, header: { "If-Match": etag } },
    body: {},
  });
  effective(await shelter.POST("/cases/{case}/referrals/{referral}/acceptance", { params: { path, header }, body: {} }));
  effective(
    await shelter.POST("/cases/{case}/referrals/{referral}/start", { params: { path, header }, body: { kind: "arrival" } }),
  );
  const discharge = { outcome: "discharge.own_wish" } as const;
  const completion = "/cases/{case}/referrals/{referral}/completion";
  effective(await shelter.POST(completion, { params: { path, header }, body: discharge }));
  const again = await shelter.POST(completion, { params: { path }, body: discharge });

  const seen: string[] = [];
  for (const name of ["accepted", "started", "completed"]) {
    seen.push((await until(police, referral, `referral.${name}.v1`)).event?.type ?? "unreadable");
  }
  const last = body(await police.GET("/cases/{case}/referrals/{referral}", { params: { path } }));
  const played = {
    requested_by_another: !requested.own,
    seen,
    state: last.state,
    stale: problem(stale),
    again: problem(again),
  };
  process.stdout.write(JSON.stringify(played));
}

function client(member: "POLICE" | "SHELTER"): Client<paths> {
  const { [`${member}_URL`]: baseUrl, [`${member}_TOKEN`]: token } = process.env;
  if (baseUrl === undefined || token === undefined) throw new Error(`the address or token of ${member} is not set`);
  return createClient<paths>({ baseUrl, headers: { Authorization: `Bearer ${token}` } });
}

// Open a case with a release, and request a place. Repeat one command under its key.
async function request(police: Client<paths>): Promise<{ case: string; referral: string }> {
  const header = { Prefer: WAIT, "Idempotency-Key": randomUUID() };
  const opening: Schemas["OpenCase"] = { entry_point: "police_call", reporting_delay: "same_day" };
  const opened = effective(await police.POST("/cases", { params: { header }, body: opening }));
  const repeated = effective(await police.POST("/cases", { params: { header }, body: opening }));
  if (opened.case === undefined || opened.case !== repeated.case) throw new Error("a key made two cases");

  const params = { path: { case: opened.case }, header: { Prefer: WAIT } };
  const expires = new Date(Date.now() + 30 * 24 * 3_600_000).toISOString();
  const release: Schemas["RecordBasis"] = {
    kind: "release.oral_witnessed",
    purpose: "arrange_shelter",
    recipient_class: "licensed_shelter",
    expires_at: expires,
  };
  const { basis } = effective(await police.POST("/cases/{case}/bases", { params, body: release }));
  if (basis === undefined) throw new Error("a basis has no id");
  const wanted: Schemas["RequestReferral"] = { target: "shelter", service: "shelter", urgency: "emergency", basis };
  const { referral } = effective(await police.POST("/cases/{case}/referrals", { params, body: wanted }));
  if (referral === undefined) throw new Error("a referral has no id");
  return { case: opened.case, referral };
}

// Read the feed until it has an event of this type about a referral.
async function until(reader: Client<paths>, referral: string, type: string): Promise<Schemas["FeedItem"]> {
  let after = 0;
  for (const limit = Date.now() + PATIENCE_MS; Date.now() < limit; ) {
    const page = body(await reader.GET("/feed", { params: { query: { after } } }));
    const found = page.entries.find((item) => item.event?.type === type && item.event.data["referral"] === referral);
    if (found !== undefined) return found;
    after = page.next;
  }
  throw new Error(`the feed has no ${type}`);
}

function effective(answer: Answer<Schemas["StoredCommand"]>): Schemas["StoredCommand"] {
  const stored = body(answer);
  if (stored.status !== "effective") throw new Error(JSON.stringify(stored));
  return stored;
}

function body<T>({ data, error, response }: Answer<T>): T {
  if (data === undefined) throw new Error(`${response.status} ${JSON.stringify(error)}`);
  return data;
}

function problem({ error }: { error?: Schemas["Problem"] }): number {
  if (error === undefined) throw new Error("a command was expected to fail");
  return error.status;
}

await main();
