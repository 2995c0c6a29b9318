/** The variables in a compose file, by the rules of Docker Compose that ours uses. */

type Variables = Readonly<Record<string, string | undefined>>;

/** @throws with the name of the first variable that is required and not set; an empty value counts as not set */
export function interpolate(text: string, variables: Variables): string {
  let result = '';
  for (let at = 0; at < text.length; ) {
    if (text.startsWith('$$', at)) {
      result += '$';
      at += 2;
    } else if (text.startsWith('${', at)) {
      const end = closingBrace(text, at + 2);
      result += valueOf(text.slice(at + 2, end), variables);
      at = end + 1;
    } else {
      result += text[at];
      at += 1;
    }
  }
  return result;
}

/** Names that `interpolate` would refuse to go without, in the whole document. */
export function requiredVariables(text: string): string[] {
  return [...new Set([...text.matchAll(/\$\{(\w+):\?/g)].map(([, name]) => name ?? ''))].sort();
}

function closingBrace(text: string, from: number): number {
  let depth = 1;
  for (let at = from; at < text.length; at += 1) {
    if (text.startsWith('${', at)) depth += 1;
    if (text[at] === '}') depth -= 1;
    if (depth === 0) return at;
  }
  throw new Error(`an unclosed variable: ${text}`);
}

function valueOf(expression: string, variables: Variables): string {
  const [, name = '', operator, operand = ''] = /^(\w+)(?:(:-|:\?)(.*))?$/s.exec(expression) ?? [];
  if (name === '') throw new Error(`a form of variable that is not known here: ${expression}`);
  const value = variables[name] ?? '';
  if (value !== '' || operator === undefined) return value;
  if (operator === ':?') throw new Error(`${name} is required: ${operand}`);
  return interpolate(operand, variables);
}
