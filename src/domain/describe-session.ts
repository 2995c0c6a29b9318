/** What an operator reads of a session in Temporal UI. Markdown; no personal text beyond the caller's own keys. */
import type { RunId } from './ids.ts';
import type { SessionView } from './transition.ts';

export function sessionDetails(view: SessionView, openRuns: readonly RunId[]): string {
  const lines = [
    `**Session** \`${view.sessionId}\` is **${view.state}**, run ${view.runNumber} is ${view.live ? 'live' : 'over'}.`,
    `- task: \`${plain(view.taskIdentifier)}\``,
    `- open runs: ${openRuns.length === 0 ? 'none' : openRuns.map((id) => `\`${id}\``).join(', ')}`,
    `- expires: ${view.expiresAtMs === null ? 'never' : new Date(view.expiresAtMs).toISOString()}`,
    `- API: ${view.apiUrl}/api/v1/sessions/${view.sessionId}`,
    '- signals: `close {"reason":"..."}`, `expire`, `cancelRun {"runId":"..."}`, `poke`',
  ];
  return lines.join('\n');
}

/** One line of at most 200 bytes: the server's cap on a static summary. */
export function sessionSummary(session: { type: string; taskIdentifier: string; key: string }): string {
  return cutToBytes(`${plain(session.type)} ${plain(session.key)} (${plain(session.taskIdentifier)})`, 200);
}

const plain = (text: string): string => text.replace(/[`\u0000-\u001f\u007f]/g, ' ');

function cutToBytes(text: string, bytesMax: number): string {
  let bytes = 0;
  let cut = '';
  for (const character of text) {
    const point = character.codePointAt(0) ?? 0;
    bytes += point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x1_0000 ? 3 : 4;
    if (bytes > bytesMax) break;
    cut += character;
  }
  return cut;
}
