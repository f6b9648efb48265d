/** Moves the focus by arrow keys to what lies in that direction. */

const DIRECTIONS = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

/**
 * Make arrow keys move between the elements below a container.
 * @param {HTMLElement} container
 * @param {string} selector Of the elements that take the focus.
 */
export function arrowsMove(container, selector) {
  container.addEventListener('keydown', (event) => {
    const direction = DIRECTIONS[event.key];
    const plain = !(event.shiftKey || event.ctrlKey || event.altKey || event.metaKey);
    if (!direction || !plain || !event.target.matches(selector)) return;
    const next = nearest(event.target, [...container.querySelectorAll(selector)], direction);
    event.preventDefault();
    next?.focus();
  });
}

/** The nearest element in a direction; what lies aside counts as further away. */
function nearest(from, elements, [dx, dy]) {
  const start = centre(from);
  let best = null;
  let least = Infinity;
  for (const element of elements) {
    const place = centre(element);
    const [x, y] = [place[0] - start[0], place[1] - start[1]];
    const along = x * dx + y * dy;
    const distance = along + 3 * Math.abs(x * dy - y * dx);
    if (element !== from && along > 1 && distance < least) [best, least] = [element, distance];
  }
  return best;
}

function centre(element) {
  const { left, top, width, height } = element.getBoundingClientRect();
  return [left + width / 2, top + height / 2];
}
