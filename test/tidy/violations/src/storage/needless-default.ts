// planted: lint typescript(switch-exhaustiveness-check)
export function nameOf(size: 'small' | 'large'): string {
  switch (size) {
    case 'small':
      return 'S';
    case 'large':
      return 'L';
    default:
      return '?';
  }
}
