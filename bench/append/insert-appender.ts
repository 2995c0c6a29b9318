/** The least that a database can do for one record: a statement that is its own transaction, prepared, over a socket. */
import pg from 'pg';
import type { StopStack } from '../../src/stop-stack.ts';
import type { Appender } from './appender.ts';

export interface Inserts {
  /** Into a table of its own. */
  openTable(): Promise<Appender>;
}

/** @param connections as many inserts may be in flight */
export async function openInserts(url: string, connections: number, stops: StopStack): Promise<Inserts> {
  const pool = new pg.Pool({ connectionString: url, max: connections, min: connections });
  pool.on('error', () => {});
  stops.push('inserting connections', () => pool.end(), 5_000);
  let tables = 0;
  return {
    async openTable() {
      tables += 1;
      const table = `inserts_${connections}_${tables}`;
      await pool.query(
        `CREATE TABLE ${table} (stream text, seq bigint, body text NOT NULL, PRIMARY KEY (stream, seq))`,
      );
      let seq = 0;
      return {
        async append(text) {
          seq += 1;
          await pool.query({
            name: table,
            text: `INSERT INTO ${table} (stream, seq, body) VALUES ($1, $2, $3)`,
            values: ['session_0123456789abcdefghijklmno/out', seq, text],
          });
        },
        async readBack() {
          const { rows } = await pool.query<{ body: string }>(`SELECT body FROM ${table} ORDER BY seq`);
          return rows.map(({ body }) => body);
        },
      };
    },
  };
}
