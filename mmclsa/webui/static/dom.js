/** Makes elements. Text is always text: names of cameras and files never become markup. */

const SVG = 'http://www.w3.org/2000/svg';

/**
 * Make an element.
 * @param {string} tag
 * @param {Object<string, *>} attributes `onclick` and the like are listeners; false, null and
 *   undefined leave an attribute out, true sets it empty.
 * @param {...(Node|string|number|null|false)} children
 * @returns {HTMLElement}
 */
export function el(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/** Make an element of an SVG picture. */
export function svg(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'function') element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, '');
    else if (value !== false && value != null) element.setAttribute(name, String(value));
  }
  element.append(...children.filter((child) => child != null && child !== false).map(asNode));
  return element;
}

function asNode(child) {
  return child instanceof Node ? child : document.createTextNode(String(child));
}

/** @param {string} id @returns {HTMLElement} */
export function byId(id) {
  return document.getElementById(id);
}

/** Lay an element over a picture, where a box of the picture is. */
export function placeBox(element, [x1, y1, x2, y2], { width, height }) {
  const percent = (value, whole) => `${(100 * Math.min(Math.max(value, 0), whole)) / whole}%`;
  const [left, top] = [Math.max(x1, 0), Math.max(y1, 0)];
  element.style.left = percent(left, width);
  element.style.top = percent(top, height);
  element.style.width = percent(Math.min(x2, width) - left, width);
  element.style.height = percent(Math.min(y2, height) - top, height);
}

/** Give a stage the shape of the picture that it holds. */
export function shape(stage, { width, height }) {
  stage.style.setProperty('--aspect', width / height);
}

/** Show an element or not. */
export function show(element, visible = true) {
  element.hidden = !visible;
}
