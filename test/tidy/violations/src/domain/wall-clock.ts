// planted: tidy impure-clock
export const today = (): Date => new Date();
