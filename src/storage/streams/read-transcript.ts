/** A page of a stream as `GET .../records` shows it, put together by the database. */
import { transcriptBytesMax, transcriptRecordsMax } from '../../domain/limits.ts';
import { isCommand, recordView } from '../../domain/record.ts';
import { kindOf, type StreamKind, type StreamPlace } from '../../domain/stream.ts';
import type { TranscriptPage, TranscriptRange } from '../../sessions/ports.ts';
import type { Sql, SqlRow } from '../database.ts';
import { pageSql, placeSql, readStream } from './read.ts';
import type { TranscriptCache } from './transcript-cache.ts';

/**
 * What was judged when it was stored is spliced: nothing is parsed, and a page is one text instead of rows. For 10,000
 * records of 256 bytes the server takes 20 ms of processor time and the database 25, where rows that were parsed and
 * written out again took 90 and 20 (the reading of `npm run bench append -- --part replay`). The records come from the
 * window in the order of their seqs: to sort them again took a tenth of that time.
 */
const transcriptSql = (kind: StreamKind): string => `
  SELECT place.next, place.trimmed_before <= $3 AS is_untrimmed, page.last, page.is_judged, page.json
  FROM (${placeSql[kind]}) place, LATERAL (
    SELECT max(seq) AS last, coalesce(bool_and(shown IS NOT NULL), true) AS is_judged,
      string_agg(
        CASE shown WHEN 'envelope' THEN convert_from(substring(body FOR octet_length(body) - 1), 'UTF8')
          ELSE '{"data":"","id":""' END
        || ',"seqNum":' || seq || CASE WHEN headers IS NULL THEN '}' ELSE ',"headers":' || headers::text || '}' END,
        ',') FILTER (WHERE shown <> 'hidden') AS json
    FROM (${pageSql({ records: transcriptRecordsMax, bytes: transcriptBytesMax, before: 'least($4::bigint, place.next)' })}) head
  ) page`;

const transcriptSqls: Readonly<Record<StreamKind, string>> = {
  in: transcriptSql('in'),
  out: transcriptSql('out'),
  side: transcriptSql('side'),
};

interface TranscriptRow extends SqlRow {
  next: number;
  /** The page begins where it was asked to. */
  is_untrimmed: boolean;
  last: number | null;
  is_judged: boolean;
  json: string | null;
}

const empty: TranscriptPage = { next: 0, last: null, json: Buffer.alloc(0) };

export interface TranscriptDeps {
  readonly sql: Sql;
  readonly cache: TranscriptCache;
}

export async function readTranscript(
  deps: TranscriptDeps,
  place: StreamPlace,
  range: TranscriptRange,
): Promise<TranscriptPage> {
  return (await readKept(deps, place, range)) ?? assemble(deps, place, range);
}

/** Null when the page must be put together. */
async function readKept(
  { sql, cache }: TranscriptDeps,
  place: StreamPlace,
  { from, before }: TranscriptRange,
): Promise<TranscriptPage | null> {
  const kept = cache.find(place, from);
  if (kept === null) return null;
  // Whoever has an end has looked at the stream before.
  const end = before ?? (await readEnd(sql, place, from));
  return end !== null && kept.last < end ? { next: end, ...kept } : null;
}

async function assemble(
  { sql, cache }: TranscriptDeps,
  place: StreamPlace,
  { from, before }: TranscriptRange,
): Promise<TranscriptPage> {
  const { sessionId, stream } = place;
  const values = [sessionId, stream, from, before ?? Number.MAX_SAFE_INTEGER];
  const [row] = await sql.query<TranscriptRow>(transcriptSqls[kindOf(stream)], values);
  if (row === undefined) return empty;
  const page = row.is_judged ? pageOf(row) : await parsedTranscript(sql, place, { from, before });
  const { next, last, json } = page;
  const isFull = last !== null && last + 1 < Math.min(next, before ?? next);
  if (isFull && row.is_untrimmed) cache.keep(place, from, { last, json });
  return page;
}

const pageOf = ({ next, last, json }: TranscriptRow): TranscriptPage => ({ next, last, json: Buffer.from(json ?? '') });

/** Null when records from there on have been trimmed. */
async function readEnd(sql: Sql, { sessionId, stream }: StreamPlace, from: number): Promise<number | null> {
  const rows = await sql.query<{ next: number; trimmed_before: number }>(placeSql[kindOf(stream)], [sessionId, stream]);
  const [row] = rows;
  return row === undefined || row.trimmed_before > from ? null : row.next;
}

/** Some record of the page was not judged: all of it is parsed. */
async function parsedTranscript(
  sql: Sql,
  place: StreamPlace,
  { from, before }: TranscriptRange,
): Promise<TranscriptPage> {
  const { next, records } = await readStream(sql, place, from);
  const wanted = records.filter(({ seq }) => seq < (before ?? next));
  const shown = wanted.filter((record) => !isCommand(record));
  return {
    next,
    last: wanted.at(-1)?.seq ?? null,
    json: Buffer.from(shown.map((record) => JSON.stringify(recordView(record))).join(',')),
  };
}
