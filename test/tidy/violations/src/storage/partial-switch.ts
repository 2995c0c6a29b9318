// planted: lint typescript(switch-exhaustiveness-check)
export function priceOf(size: 'small' | 'large'): number {
  let price = 1;
  switch (size) {
    case 'small':
      price = 2;
      break;
  }
  return price;
}
