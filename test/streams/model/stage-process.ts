/** The streams of one process without HTTP in front of them. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { StoredRecord } from '../../../src/domain/record.ts';
import type { OpenSession } from '../../storage/lifecycle.ts';
import { locatedOf, type StreamStage } from '../stage.ts';
import type { SeenRecord } from './history.ts';
import type { StreamProcess } from './program.ts';

const slowMs = 15;

export function stageProcess(stage: StreamStage, session: OpenSession): StreamProcess {
  return {
    async append(stream, { partId, text }, cut) {
      const appending = stage.seqOf(session, text, { stream, partId });
      if (!cut) return appending;
      // Whoever leaves does not undo what is under way.
      appending.catch(() => undefined);
      return null;
    },
    async read(stream, from) {
      const records: SeenRecord[] = [];
      const place = { session: locatedOf(session.order), stream };
      const { next, records: head } = await stage.streams.read(place, from);
      for (let page = head; page.length > 0; ) {
        records.push(...page.map(seenRecord).filter(({ seq }) => seq < next));
        const last = page.at(-1)?.seq ?? next;
        page = last + 1 >= next ? [] : (await stage.streams.read(place, last + 1)).records;
      }
      return { next, records };
    },
    follow(stream, { from, isSlow, onRecords }) {
      const follower = stage.follow(session, {
        stream,
        from,
        sink: {
          deliver(batch) {
            onRecords(batch.records.map(seenRecord));
            return !isSlow;
          },
          drained: (left) => sleep(slowMs, undefined, { signal: left }),
        },
      });
      const ended = follower.ended.then(
        () => undefined,
        () => undefined,
      );
      return { leave: follower.leave, ended };
    },
  };
}

function seenRecord({ seq, body }: StoredRecord): SeenRecord {
  const { data, id } = JSON.parse(body) as { data: string; id: string };
  return { seq, partId: id, text: data };
}
