/** What a history shows, in a few words per event, for assertions that a reader can follow. */
import proto from '@temporalio/proto';
import type { History } from './histories.ts';

const { EventType, WorkflowTaskFailedCause } = proto.temporal.api.enums.v1;

type Event = NonNullable<History['events']>[number];

/** Such as `ACTIVITY_TASK_TIMED_OUT`, `signal close`, `local recordRunEnd`, `refused UNHANDLED_COMMAND`. */
export const outlineOf = (history: History): readonly string[] => (history.events ?? []).map(wordsOf);

function wordsOf(event: Event): string {
  const { workflowExecutionSignaledEventAttributes: signal, markerRecordedEventAttributes: marker } = event;
  const failed = event.workflowTaskFailedEventAttributes;
  if (signal) return `signal ${signal.signalName}`;
  if (marker) return `local ${localActivityOf(marker)}`;
  if (failed) return `refused ${nameOf(WorkflowTaskFailedCause, failed.cause, 'WORKFLOW_TASK_FAILED_CAUSE_')}`;
  return nameOf(EventType, event.eventType, 'EVENT_TYPE_');
}

function localActivityOf(marker: NonNullable<Event['markerRecordedEventAttributes']>): string {
  const data = marker.details?.['data']?.payloads?.[0]?.data;
  if (!data) return String(marker.markerName);
  const described = JSON.parse(new TextDecoder().decode(data)) as { activity_type?: string };
  return String(described.activity_type);
}

const nameOf = (names: object, value: unknown, prefix: string): string =>
  String((names as Record<string, string>)[String(value)]).replace(prefix, '');
