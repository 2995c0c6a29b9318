/** A stream as one statement's snapshot shows it: its end, whether it is settled, and a page of its records. */
import { pageBytesMax, pageRecordsMax } from '../../domain/limits.ts';
import type { RecordHeader, StoredRecord } from '../../domain/record.ts';
import { kindOf, type StreamKind, type StreamPlace } from '../../domain/stream.ts';
import type { StreamPage } from '../../sessions/ports.ts';
import type { Sql, SqlRow } from '../database.ts';

const placeSql: Readonly<Record<StreamKind, string>> = {
  in: `SELECT next, false AS settled, 0::bigint AS trimmed_before FROM gates WHERE session_id = $1 AND $2 = 'in'`,
  out: `SELECT next, settled, trimmed_before FROM outs WHERE session_id = $1 AND $2 = 'out'`,
  side: 'SELECT next, settled, trimmed_before FROM side_streams WHERE session_id = $1 AND stream = $2',
};

/** The bytes of a page are summed from what is stored about its bodies; those beyond its bound are not read. */
const readSql = (kind: StreamKind): string => `
  SELECT place.next, place.settled, page.seq, page.created_at, page.headers, page.body
  FROM (${placeSql[kind]}) place LEFT JOIN LATERAL (
    SELECT seq, created_at, headers, body FROM (
      SELECT seq, created_at, headers, body, sum(octet_length(body)) OVER (ORDER BY seq) - octet_length(body) AS before
      FROM (
        SELECT seq, created_at, headers, body FROM records
        WHERE session_id = $1 AND stream = $2 AND seq >= greatest($3::bigint, place.trimmed_before)
        ORDER BY seq LIMIT ${pageRecordsMax}
      ) head
    ) summed WHERE before < ${pageBytesMax}
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
  created_at: Date;
  headers: readonly RecordHeader[] | null;
  body: Uint8Array;
}

/** I2: seqs are assigned under the stream's lock, so every snapshot shows a prefix without gaps. */
export async function readStream(sql: Sql, { sessionId, stream }: StreamPlace, from: number): Promise<StreamPage> {
  const rows = await sql.query<PageRow>(readSqls[kindOf(stream)], [sessionId, stream, from]);
  const [first] = rows;
  if (first === undefined) return { next: 0, settled: false, records: [] };
  return { next: first.next, settled: first.settled, records: rows.flatMap(recordOf) };
}

function recordOf(row: PageRow): StoredRecord[] {
  if (row.seq === null) return [];
  const body = Buffer.from(row.body.buffer, row.body.byteOffset, row.body.byteLength).toString('utf8');
  return [{ seq: row.seq, atMs: row.created_at.getTime(), headers: row.headers ?? [], body }];
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
