/**
 * All streams that somebody in this process reads. Notifications only make a look earlier: every watched stream's end
 * is read twice a second, all in one statement.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { Unavailable } from '../domain/failure.ts';
import { tailPollMs } from '../domain/limits.ts';
import type { StoredRecord } from '../domain/record.ts';
import type { StreamPlace } from '../domain/stream.ts';
import type { Changes, StreamStore } from '../sessions/ports.ts';
import { Topic, type TopicReader } from './topic.ts';

export interface StreamHubDeps {
  readonly store: Pick<StreamStore, 'read' | 'nextSeqs'>;
  readonly changes: Pick<Changes, 'subscribe'>;
  /** A look failed in a way that waiting does not cure; readers go on. */
  readonly onFault: (cause: unknown) => void;
}

export type WatchedStream = StreamPlace & { readonly workflowId: string };

interface Watch {
  readonly topic: Topic;
  readonly unsubscribe: () => void;
}

const keyOf = ({ sessionId, stream }: StreamPlace): string => `${sessionId}/${stream}`;

export class StreamHub {
  readonly #deps: StreamHubDeps;
  readonly #watches = new Map<string, Watch>();
  #isPolling = false;

  constructor(deps: StreamHubDeps) {
    this.#deps = deps;
  }

  /** For leak checks. */
  get watchedCount(): number {
    return this.#watches.size;
  }

  /**
   * Lets a reader that has read everything before `next` hear of the rest. False: more has come meanwhile, which it must
   * read first.
   * @param position the seq that the reader wants next
   */
  join(reader: TopicReader, stream: WatchedStream, { next, position }: { next: number; position: number }): boolean {
    const topic = this.#watch(stream, next).topic;
    if (topic.next > Math.max(next, position)) {
      this.#dropIfUnread(topic);
      return false;
    }
    topic.join(reader);
    return true;
  }

  leave(reader: TopicReader, place: StreamPlace): void {
    const watch = this.#watches.get(keyOf(place));
    if (watch === undefined) return;
    watch.topic.leave(reader);
    this.#dropIfUnread(watch.topic);
  }

  handOver(place: StreamPlace, records: readonly StoredRecord[]): void {
    this.#watches.get(keyOf(place))?.topic.handOver(records);
  }

  #watch(stream: WatchedStream, next: number): Watch {
    const found = this.#watches.get(keyOf(stream));
    if (found !== undefined) return found;
    const { sessionId, stream: name, workflowId } = stream;
    const topic = new Topic({ sessionId, stream: name }, next, this.#deps);
    const watch = { topic, unsubscribe: this.#deps.changes.subscribe(workflowId, () => topic.pull()) };
    this.#watches.set(keyOf(stream), watch);
    void this.#poll();
    return watch;
  }

  #dropIfUnread(topic: Topic): void {
    if (topic.readerCount > 0) return;
    this.#watches.get(keyOf(topic.place))?.unsubscribe();
    this.#watches.delete(keyOf(topic.place));
  }

  async #poll(): Promise<void> {
    if (this.#isPolling) return;
    this.#isPolling = true;
    while (this.#watches.size > 0) {
      await pause(tailPollMs, undefined, { ref: false });
      await this.#look().catch((cause: unknown) => {
        if (!(cause instanceof Unavailable)) this.#deps.onFault(cause);
      });
    }
    this.#isPolling = false;
  }

  async #look(): Promise<void> {
    const topics = [...this.#watches.values()].map(({ topic }) => topic);
    if (topics.length === 0) return;
    const nexts = await this.#deps.store.nextSeqs(topics.map(({ place }) => place));
    topics.forEach((topic, index) => {
      if ((nexts[index] ?? 0) > topic.next) topic.pull();
    });
  }
}
