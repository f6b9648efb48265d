/** Plays the frames around a sighting: as soon as the first are there, without waiting for all. */

import { frameUrl, getClip, getPicture, isCancelled } from './api.js';
import { byId, el, placeBox, show } from './dom.js';
import { moment } from './format.js';
import { showProblem } from './messages.js';

const AT_ONCE = 2; // frames that are asked for side by side

/** A clip of one sighting in the stage of the viewer. */
export class Player {
  /**
   * @param {number} row Of the index.
   * @param {{width: number, height: number, frame: number}} scene In its pixels boxes are.
   */
  constructor(row, scene) {
    this._row = row;
    this._scene = scene;
    this._frames = [];
    this._images = [];
    this._place = 0;
    this._drawn = false;
    this._played = false; // to its end
    this._told = false;
    this._timer = null;
    this._ending = new AbortController();
    this._urls = [];
  }

  /** Load the clip, and play it if that is wanted. */
  async start(play) {
    const clip = await getClip(this._row, this._ending.signal);
    if (clip.frames.length < 2) return;
    this._frames = clip.frames;
    this._fps = clip.fps;
    byId('seek').max = this._frames.length - 1;
    this._say('Loading the clip');
    show(byId('player'));
    if (play) this.play();
    else this._startAtScene();
    let next = 0;
    const load = async () => {
      while (next < this._frames.length) await this._load(next++);
    };
    await Promise.all(Array.from({ length: AT_ONCE }, load));
    this._say('');
  }

  get playing() {
    return this._timer !== null;
  }

  toggle() {
    if (this.playing) this.pause();
    else this.play();
  }

  play() {
    if (!this._frames.length) return;
    const atEnd = this._place >= this._frames.length - 1 && this._images[this._place];
    if (this._played || atEnd) this._place = 0;
    this._played = false;
    this._timer ??= setInterval(() => this._tick(), 1000 / this._fps);
    this._showButton();
  }

  pause() {
    clearInterval(this._timer);
    this._timer = null;
    this._showButton();
  }

  /** Go so many frames on or back, and stay there. */
  step(frames) {
    this.pause();
    this.seek(this._place + frames);
  }

  /** Go to a frame; its picture comes when it is loaded. */
  seek(place) {
    if (!this._frames.length) return; // of a picture, or not known yet
    this._place = Math.min(Math.max(place, 0), this._frames.length - 1);
    this._played = false;
    this._draw();
  }

  /** The person has often left by the end of the clip: rest where the person is seen best. */
  _rest() {
    this.pause();
    this.seek(this._scenePlace());
    this._played = true; // the next play is of the whole
  }

  /** Let go of everything. */
  end() {
    this.pause();
    this._ending.abort();
    for (const url of this._urls) URL.revokeObjectURL(url);
    show(byId('player'), false);
  }

  /** Where the clip shows the scene, on which the person is seen best. */
  _scenePlace() {
    return Math.max(this._frames.findIndex(({ frame }) => frame === this._scene.frame), 0);
  }

  /** The scene is shown already: go on from its place in the clip. */
  _startAtScene() {
    this._place = this._scenePlace();
    byId('seek').value = this._place;
    byId('clip-time').textContent = moment(this._scene.time_text);
  }

  async _load(place) {
    const { frame } = this._frames[place];
    try {
      const data = await getPicture(frameUrl(this._row, frame), this._ending.signal);
      const url = URL.createObjectURL(data);
      this._urls.push(url);
      const image = el('img', { src: url, alt: `Frame ${frame}`, class: 'frame' });
      await image.decode();
      this._images[place] = image;
    } catch (error) {
      if (isCancelled(error) || this._ending.signal.aborted) throw error;
      if ([404, 410].includes(error.status) && place > 0) this._endBefore(place);
      else if (place < this._frames.length) this._leaveOut(place, error);
    }
    if (place === this._place && this._drawn) this._draw();
  }

  /** A container may count frames that it does not have: the clip ends before. */
  _endBefore(place) {
    this._frames.length = Math.min(this._frames.length, place);
    byId('seek').max = this._frames.length - 1;
    if (this._place >= this._frames.length) this.seek(this._place);
  }

  /** The clip goes on after a frame that could not be loaded, and the visitor is told. */
  _leaveOut(place, error) {
    const text = `Frame ${this._frames[place].frame} is missing`;
    this._images[place] = el('p', { class: 'gone' }, text);
    if (this._told) return; // of the first; the others mostly have the same cause
    this._told = true;
    showProblem(byId('viewer-problem'), `${text}: ${error.message || 'it is no picture.'}`);
  }

  _tick() {
    const there = this._drawn && this._images[this._place];
    const next = this._place + (there ? 1 : 0);
    if (next >= this._frames.length) this._rest();
    else if (this._images[next]) {
      this._place = next;
      this._draw();
    }
  }

  _draw() {
    this._drawn = true;
    const { box, time_text: time, frame } = this._frames[this._place];
    const [image, marker] = [this._images[this._place], byId('scene-box')];
    if (image) byId('scene').replaceChildren(image);
    show(marker, Boolean(image?.matches('img') && box));
    if (box) placeBox(marker, box, this._scene);
    byId('seek').value = this._place;
    const text = moment(time) || `frame ${frame}`;
    byId('seek').setAttribute('aria-valuetext', text);
    byId('clip-time').textContent = text;
  }

  _showButton() {
    const button = byId('play');
    button.textContent = this.playing ? '❚❚ Pause' : '▶ Play';
  }

  _say(text) {
    byId('clip-status').textContent = text;
  }
}
