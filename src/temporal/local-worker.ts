/**
 * The session worker of this process, as its own starts see it. Temporal lists in the search attribute `BuildIds` whose
 * code took a workflow's steps, and once the first step of a workflow that stays open has added to the list, it writes
 * what operators search by a second time. An eager start brings the list as that step will leave it: this took 2.5 of
 * 17 ms of Temporal's processor time from a create, and a sixth from its p50 with sixteen in flight (`npm run bench create`).
 */
import { defineSearchAttributeKey, type SearchAttributePair } from '@temporalio/common';

const buildIds = defineSearchAttributeKey('BuildIds', 'KEYWORD_LIST');

export class LocalWorker {
  #attributes: readonly SearchAttributePair[] = [];

  /** From now on it takes steps, and says each time that it is of this build. */
  started(buildId: string): void {
    // As the server itself spells it for a worker without versioning (its package `worker_versioning`). Should the step
    // go to another worker after all, the list names one build too many.
    this.#attributes = [{ key: buildIds, value: ['unversioned', `unversioned:${buildId}`] }];
  }

  /** Of a start that this worker's first step follows. */
  get startAttributes(): readonly SearchAttributePair[] {
    return this.#attributes;
  }

  /** Servers take this attribute from users for the time being: one that refuses it is not asked again. */
  startsWithout(): void {
    this.#attributes = [];
  }
}
