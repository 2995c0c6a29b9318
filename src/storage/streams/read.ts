/** A stream as one statement's snapshot shows it: its end, whether it is settled, and a page of its records. */
import { pageBytesMax, pageRecordsMax } from '../../domain/limits.ts';
import type { RecordHeader, StoredRecord } from '../../domain/record.ts';
import { kindOf, type StreamKind, type StreamPlace } from '../../domain/stream.ts';
import type { StreamPage } from '../../sessions/ports.ts';
import type { Sql, SqlRow } from '../database.ts';

/** `next`, `settled` and `trimmed_before` of the stream $2 of the session $1. */
export const placeSql: Readonly<Record<StreamKind, string>> = {
  in: `SELECT next, false AS settled, 0::bigint AS trimmed_before FROM gates WHERE session_id = $1 AND $2 = 'in'`,
  out: `SELECT next, settled, trimmed_before FROM outs WHERE session_id = $1 AND $2 = 'out'`,
  side: 'SELECT next, settled, trimmed_before FROM side_streams WHERE session_id = $1 AND stream = $2',
};

/** Consecutive records from $3 on, up to the bounds of a page; among other tables there is `place`. */
export const pageSql = ({ records, bytes, before }: { records: number; bytes: number; before: string }): string => `
    SELECT seq, created_at, headers, shown, body FROM (
      SELECT seq, created_at, headers, shown, body,
        sum(octet_length(body)) OVER (ORDER BY seq ROWS UNBOUNDED PRECEDING) - octet_length(body) AS sum_before
      FROM (
        SELECT seq, created_at, headers, shown, body FROM records
        WHERE session_id = $1 AND stream = $2 AND seq >= greatest($3::bigint, place.trimmed_before) AND seq < ${before}
        ORDER BY seq LIMIT ${records}
      ) head
    ) summed WHERE sum_before < ${bytes}`;

/**
 * The bytes of a page are summed from what is stored about its bodies; those beyond its bound are not read. Text comes
 * as text: as bytes it travelled as hexadecimal and was decoded twice.
 */
const readSql = (kind: StreamKind): string => `
  SELECT place.next, place.settled, page.seq, (extract(epoch FROM page.created_at) * 1000)::bigint AS at_ms, page.headers,
    CASE WHEN page.shown IN ('envelope', 'blank') THEN convert_from(page.body, 'UTF8') END AS text,
    CASE WHEN page.shown IN ('envelope', 'blank') THEN NULL ELSE page.body END AS bytes
  FROM (${placeSql[kind]}) place LEFT JOIN LATERAL (
    ${pageSql({ records: pageRecordsMax, bytes: pageBytesMax, before: 'place.next' })}
  ) page ON true
  ORDER BY page.seq`;

const readSqls: Readonly<Record<StreamKind, string>> = {
  in: readSql('in'),
  out: readSql('out'),
  side: readSql('side'),
};

interface PageRow extends SqlRow {
  next: number;
  settled: boolean;
  seq: number | null;
  at_ms: number;
  headers: readonly RecordHeader[] | null;
  text: string | null;
  bytes: Uint8Array | null;
}

/** I2: seqs are assigned under the stream's lock, so every snapshot shows a prefix without gaps. */
export async function readStream(sql: Sql, { sessionId, stream }: StreamPlace, from: number): Promise<StreamPage> {
  const rows = await sql.query<PageRow>(readSqls[kindOf(stream)], [sessionId, stream, from]);
  const [first] = rows;
  if (first === undefined) return { next: 0, settled: false, records: [] };
  return { next: first.next, settled: first.settled, records: rows.flatMap(recordOf) };
}

function recordOf({ seq, at_ms: atMs, headers, text, bytes }: PageRow): StoredRecord[] {
  if (seq === null) return [];
  const decoded = bytes === null ? '' : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
  return [{ seq, atMs, headers: headers ?? [], body: text ?? decoded }];
}

const nextSeqsSql = `
  SELECT CASE place.stream
    WHEN 'in' THEN (SELECT next FROM gates WHERE session_id = place.session_id)
    WHEN 'out' THEN (SELECT next FROM outs WHERE session_id = place.session_id)
    ELSE (SELECT next FROM side_streams s WHERE s.session_id = place.session_id AND s.stream = place.stream)
  END AS next
  FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS place (session_id, stream, no)
  ORDER BY place.no`;

export async function readNextSeqs(sql: Sql, places: readonly StreamPlace[]): Promise<readonly number[]> {
  const rows = await sql.query<{ next: number | null }>(nextSeqsSql, [
    places.map(({ sessionId }) => sessionId),
    places.map(({ stream }) => stream),
  ]);
  return rows.map(({ next }) => next ?? 0);
}
