// Brings the flame graphs of a document to life: each <svg class="corelab-flame">, alone or in a page. The picture is whole
// without this; what is added here is the line with the search, zooming, marking, and what the width of the window changes.
//
// Names come from profiles and may be hostile. They are only ever put into the document as text.
(() => {
	"use strict";
	const SVG = "http://www.w3.org/2000/svg", HTML = "http://www.w3.org/1999/xhtml";
	// In pixels, as flamesvg.go has them; SIDE is the margin left and right.
	const ROW = 16, LINE = 17, KEY = 18, INSET = 3, LETTER = 6.63, SIDE = 8;
	const NARROW = 640, KEY_WIDTH = 250;

	const make = (space, name, attributes = {}, text = "") => {
		const e = document.createElementNS(space, name);
		for (const [k, v] of Object.entries(attributes)) e.setAttribute(k, v);
		if (text) e.textContent = text;
		return e;
	};

	const digits = (v) => v.toFixed(Math.abs(v) >= 99.95 || Number.isInteger(v) ? 0 : Math.abs(v) >= 9.995 ? 1 : 2);
	const scaled = (v, by, units) => {
		let i = 0;
		for (; i + 1 < units.length && Math.abs(v) >= by * 0.9995; i++) v /= by;
		return digits(v) + " " + units[i];
	};
	const time = (ns) => scaled(ns, 1000, ["ns", "µs", "ms", "s"]);
	const amount = (v, unit) => unit === "nanoseconds" ? time(v) : unit === "bytes" ? scaled(v, 1024, ["bytes", "KiB", "MiB", "GiB"]) : v + " " + unit;
	const percent = (v) => v > 0 && v < 0.01 ? "<0.01 %" : (v >= 99.995 ? "100" : v.toFixed(2)) + " %";
	const signed = (v, show) => (v > 0 ? "+" : v < 0 ? "−" : "±") + show(Math.abs(v));

	// The name without the path of its package.
	const shorten = (name) => {
		const stop = name.search(/[[(]/);
		return name.slice(name.lastIndexOf("/", stop < 0 ? name.length : stop) + 1);
	};

	// Of a search, what it finds among frames. Names are full of what regular expressions read otherwise: a text that stands
	// somewhere as it is, is looked for as it is.
	const finder = (query, frames) => {
		const texts = (f) => [f.name, f.module];
		const low = query.toLowerCase(), plain = (f) => texts(f).some((t) => t.toLowerCase().includes(low));
		if (frames.some(plain)) return plain;
		try {
			const expression = new RegExp(query, "i");
			return (f) => texts(f).some((t) => t !== "" && expression.test(t));
		} catch {
			return plain;
		}
	};

	class Graph {
		constructor(el, picture) {
			this.el = el;
			this.picture = picture;
			this.cost = Number(el.dataset.cost);
			this.frames = [];
			const path = [];
			for (const e of el.children) {
				const text = e.lastElementChild, d = e.dataset;
				const f = {
					el: e, text, name: d.n ?? text.textContent, module: d.m ?? "", value: Number(d.v), depth: Number(e.getAttribute("y")) / ROW,
					at: this.frames.length, end: 0, parent: null, from: 0, next: 0, wide: 100, shown: true, label: null,
					kind: e.classList[1],
				};
				f.short = shorten(f.name);
				while (path.length > 0 && path.at(-1).depth >= f.depth) path.pop().end = f.at;
				f.parent = path.at(-1) ?? null;
				// Those that are drawn stand side by side from the left, so the values say exactly where.
				if (f.parent !== null) {
					f.from = f.parent.next;
					f.parent.next += f.value;
				}
				f.next = f.from;
				path.push(f);
				this.frames.push(f);
				e.setAttribute("role", "treeitem");
				e.setAttribute("aria-level", f.depth + 1);
				e.setAttribute("tabindex", -1);
			}
			for (const f of path) f.end = this.frames.length;
			if (this.frames.length === 0) return;
			this.root = this.top = this.at = this.frames[0];
			for (const f of this.frames) f.el.setAttribute("aria-label", [f.name, ...this.about(f)].join(", "));
			el.setAttribute("role", "tree");
			el.setAttribute("aria-label", el.dataset.name);
			this.root.el.setAttribute("tabindex", 0);
			const known = new Map(this.frames.map((f) => [f.el, f]));
			const of = (e) => known.get(e.target.closest(".f"));
			el.addEventListener("click", (e) => { const f = of(e); if (f) { this.go(f, true); this.zoom(f); } });
			el.addEventListener("pointerover", (e) => { const f = of(e); if (f) { this.hint(f); picture.tell(this, f); } });
			el.addEventListener("pointerleave", () => picture.tell(this, this.top));
			el.addEventListener("focusin", (e) => { const f = of(e); if (f) picture.tell(this, f); });
			el.addEventListener("keydown", (e) => this.key(e));
			this.zoom(this.root);
		}

		// What is known of a frame, beside its name.
		about(f) {
			const share = f.value / this.root.value, d = f.el.dataset, p = this.picture;
			const words = [percent(100 * share) + " of the " + p.what];
			words.push(this.cost > 0 ? time(share * this.cost) + " a request" : amount(f.value, p.unit));
			if (p.diff) {
				const b = Number(d.b), a = Number(d.a), show = this.cost > 0 ? time : percent;
				if (d.o !== undefined) words.push(`only ${this.el.dataset.side}, ${show(Math.max(a, b))} of it not in functions that both have`);
				else words.push(`in all places ${show(b)} → ${show(a)}, ${signed(a - b, show)}${d.s === undefined ? "" : ", which may be chance"}`);
			} else {
				if (this.cost > 0) words.push(amount(f.value, p.unit));
				if (p.kinds.has(f.kind)) words.push("layer " + p.kinds.get(f.kind));
			}
			if (f.module) words.push(f.module);
			return words;
		}

		// The browser's own hint, made when it is first needed.
		hint(f) {
			if (f.hinted) return;
			f.hinted = true;
			f.el.prepend(make(SVG, "title", {}, f.name + "\n" + this.about(f).join("\n")));
		}

		// Makes f as wide as the picture; those that called it stay above it, dimmed, and all others are hidden.
		zoom(f) {
			this.top = f;
			for (const g of this.frames) {
				const inside = g.at >= f.at && g.at < f.end, above = g.at < f.at && g.end > f.at;
				g.el.classList.toggle("above", above);
				if (g.shown !== (inside || above)) {
					g.shown = inside || above;
					g.shown ? g.el.removeAttribute("display") : g.el.setAttribute("display", "none");
				}
				if (!g.shown) continue;
				g.wide = above ? 100 : 100 * g.value / f.value;
				g.el.setAttribute("x", above ? "0%" : 100 * (g.from - f.from) / f.value + "%");
				g.el.setAttribute("width", g.wide + "%");
			}
			if (!this.at.shown) this.go(f, false);
			this.label();
			this.picture.changed();
			this.picture.tell(this, f);
		}

		// Shows as much of each name as has room.
		label() {
			const width = this.picture.width - 2 * SIDE;
			for (const f of this.frames) {
				if (!f.shown) continue;
				const room = Math.floor((f.wide * width / 100 - 2 * INSET) / this.picture.letter);
				const text = room >= f.name.length ? f.name : room >= f.short.length ? f.short : room >= 3 ? f.short.slice(0, room - 1) + "…" : "";
				if (text === f.label) continue;
				f.label = text;
				f.text.textContent = text;
				text ? f.text.removeAttribute("display") : f.text.setAttribute("display", "none");
			}
		}

		// Makes f the frame that the keyboard is at.
		go(f, focus) {
			this.at.el.setAttribute("tabindex", -1);
			this.at = f;
			f.el.setAttribute("tabindex", 0);
			if (focus) {
				f.el.focus({ preventScroll: true });
				this.picture.reveal(f.el);
			}
		}

		// The frame that the key leads to: up to the caller, down to the widest callee, left and right in the same row.
		next(key) {
			const at = this.at, shown = this.frames.filter((f) => f.shown);
			switch (key) {
			case "ArrowUp": return at.parent;
			case "ArrowDown": return shown.filter((f) => f.parent === at).reduce((a, b) => a === null || b.value > a.value ? b : a, null);
			case "ArrowLeft": return shown.filter((f) => f.depth === at.depth && f.at < at.at).at(-1) ?? null;
			case "ArrowRight": return shown.find((f) => f.depth === at.depth && f.at > at.at) ?? null;
			case "Home": return this.root;
			}
			return undefined;
		}

		key(e) {
			if (e.ctrlKey || e.metaKey || e.altKey) return;
			if (e.key === "Enter" || e.key === " ") {
				e.preventDefault();
				this.zoom(this.at);
				this.picture.reveal(this.at.el);
				return;
			}
			const f = this.next(e.key);
			if (f === undefined) return;
			e.preventDefault();
			if (f !== null) this.go(f, true);
		}

		// Marks the frames that hit says, and returns the part of all that they and what they call have: what stands below one
		// that is marked counts once.
		mark(hit) {
			let sum = 0, until = 0;
			for (const f of this.frames) {
				const yes = hit !== null && hit(f);
				f.el.classList.toggle("hit", yes);
				if (yes && f.at >= until) {
					sum += f.value;
					until = f.end;
				}
			}
			return sum / this.root.value;
		}
	}

	class Picture {
		constructor(root) {
			this.root = root;
			this.what = root.dataset.what;
			this.unit = root.dataset.unit;
			this.diff = root.dataset.diff !== undefined;
			this.lines = [...root.querySelectorAll(":scope > .title, :scope > .line")].map((el) => ({ el, text: el.textContent }));
			this.keys = [...root.querySelectorAll(":scope > .key")];
			this.kinds = new Map(this.keys.map((k) => [k.classList[1], k.dataset.name]));
			this.heads = [...root.querySelectorAll(":scope > .heading")].map((el) => ({ el, text: el.textContent }));
			this.width = 0;
			this.letter = LETTER;
			this.picked = null;
			root.querySelector(":scope > .rest")?.remove();
			root.setAttribute("width", "100%");
			root.classList.add("live");
			this.toolbar();
			this.graphs = [...root.querySelectorAll(":scope > .flames")].map((el) => new Graph(el, this));
			this.live = this.graphs.filter((g) => g.frames.length > 0);
			for (const k of this.keys) this.button(k);
			// Above the frames, as it moves over them.
			root.append(this.bar);
			this.layout();
			this.rest();
			new ResizeObserver(() => this.layout()).observe(root);
			document.addEventListener("scroll", () => this.follow(), { capture: true, passive: true });
			root.addEventListener("keydown", (e) => this.key(e));
		}

		toolbar() {
			this.input = make(HTML, "input", { type: "search", placeholder: "search, / or Ctrl-F", maxlength: 200, spellcheck: "false", autocomplete: "off", "aria-label": "Search functions: text or a regular expression" });
			this.button0 = make(HTML, "button", { type: "button", title: "Escape" }, "Reset");
			this.hits = make(HTML, "output", { class: "hits", "aria-live": "polite" });
			const tools = make(HTML, "div", { class: "tools" });
			tools.append(this.input, this.button0, this.hits);
			this.told = make(HTML, "div", { class: "told" });
			this.panel = make(HTML, "div", { class: "bar" });
			this.panel.append(tools, this.told);
			this.bar = make(SVG, "foreignObject", { x: "0", y: 0, width: "100%", height: 64 });
			this.bar.append(this.panel);
			this.input.addEventListener("input", () => { this.pick(null); this.search(); });
			this.button0.addEventListener("click", () => this.reset());
		}

		// A key of the legend marks the frames of its colour.
		button(k) {
			k.setAttribute("role", "button");
			k.setAttribute("tabindex", 0);
			k.setAttribute("aria-pressed", "false");
			k.setAttribute("aria-label", "Mark " + k.lastElementChild.textContent);
			const press = () => {
				this.pick(this.picked === k ? null : k);
				this.input.value = "";
				this.search();
			};
			k.addEventListener("click", press);
			k.addEventListener("keydown", (e) => {
				if (e.key !== "Enter" && e.key !== " ") return;
				e.preventDefault();
				press();
			});
		}

		pick(k) {
			this.picked?.setAttribute("aria-pressed", "false");
			this.picked = k;
			k?.setAttribute("aria-pressed", "true");
		}

		// Marks what the field or the legend asks for, and says how much it is.
		search() {
			const query = this.input.value.trim();
			let hit = null, text = "";
			if (this.picked !== null) {
				const kind = this.picked.classList[1];
				hit = (f) => f.kind === kind && f.parent !== null;
				text = "marked: " + this.picked.lastElementChild.textContent;
			} else if (query !== "") {
				hit = finder(query, this.live.flatMap((g) => g.frames));
			}
			this.root.classList.toggle("found", hit !== null);
			const shares = this.live.map((g) => g.mark(hit));
			if (hit !== null && text === "") {
				const n = this.live.reduce((sum, g) => sum + g.frames.filter((f) => f.el.classList.contains("hit")).length, 0);
				const shown = this.live.map((g, i) => (this.diff ? g.el.dataset.side + " " : "") + percent(100 * shares[i]));
				text = n === 0 ? "nothing matches" : "matched " + shown.join(", ") + " of the " + this.what + (n === 1 ? ", 1 frame" : `, ${n} frames`);
			}
			this.hits.textContent = text;
			this.changed();
		}

		reset() {
			this.input.value = "";
			this.pick(null);
			this.search();
			for (const g of this.live) g.zoom(g.root);
			this.rest();
		}

		rest() {
			const hint = document.createTextNode("Click or Enter zooms, arrow keys move, Escape resets. A key of the legend marks its frames.");
			this.told.replaceChildren(hint);
		}

		// Says all of a frame. The name may be longer than the line: then the rest can be read in the browser's own hint.
		tell(graph, f) {
			if (this.width === 0) return;
			const name = make(HTML, "b", {}, f.name);
			this.told.replaceChildren(name, document.createTextNode(" · " + graph.about(f).join(" · ")));
		}

		changed() {
			this.button0.disabled = !(this.root.classList.contains("found") || (this.live ?? []).some((g) => g.top !== g.root));
		}

		// Sets what depends on the width. It is called again when that changes; a picture that is not shown has none.
		layout() {
			const width = this.root.getBoundingClientRect().width;
			if (width === 0 || width === this.width) return;
			this.width = width;
			this.root.classList.toggle("narrow", width < NARROW);
			const room = width - 2 * SIDE;
			let y = 0;
			this.lines.forEach((line, i) => { y = this.wrap(line, room, y, i === 0 ? 22 : LINE) + (i === 0 ? 2 : 0); });
			y += 10;
			const columns = Math.max(1, Math.floor(room / KEY_WIDTH)), part = room / columns;
			this.keys.forEach((k, i) => {
				k.setAttribute("x", SIDE + part * (i % columns));
				k.setAttribute("y", y + KEY * Math.floor(i / columns));
				k.setAttribute("width", part - 4);
			});
			y += KEY * Math.ceil(this.keys.length / columns) + 2;
			this.barY = y;
			this.bar.setAttribute("x", SIDE);
			this.bar.setAttribute("width", room);
			this.barHeight = this.panel.offsetHeight;
			this.bar.setAttribute("height", this.barHeight);
			y += this.barHeight;
			this.letter = this.measure();
			this.graphs.forEach((g, i) => {
				if (this.heads[i]) y = this.wrap(this.heads[i], room, y, 20) + 8;
				g.el.setAttribute("x", SIDE);
				g.el.setAttribute("y", y);
				g.el.setAttribute("width", room);
				y += Number(g.el.getAttribute("height"));
			});
			this.root.setAttribute("height", y + 8);
			for (const g of this.live) g.label();
			this.follow();
		}

		// Breaks a text between words into lines that have room, from y on, and returns where the last one stands.
		wrap({ el, text }, room, y, height) {
			el.textContent = text;
			const letter = el.getComputedTextLength() / Math.max(1, text.length), most = Math.max(8, Math.floor(0.97 * room / (letter || 6)));
			const lines = [""];
			for (const word of text.split(" ")) {
				const last = lines.at(-1);
				if (last !== "" && last.length + 1 + word.length > most) lines.push(word);
				else lines[lines.length - 1] = last === "" ? word : last + " " + word;
			}
			el.setAttribute("y", y + height);
			el.replaceChildren(...lines.map((line, i) => make(SVG, "tspan", { x: SIDE, dy: i === 0 ? 0 : height }, line)));
			return y + height * lines.length;
		}

		// How wide a letter of a frame's name is, with the font that is there.
		measure() {
			const f = this.live[0];
			if (!f) return LETTER;
			const probe = make(SVG, "text", {}, "M".repeat(40));
			f.root.el.append(probe);
			const width = probe.getComputedTextLength() / 40;
			probe.remove();
			return width || LETTER;
		}

		// Keeps the search and the line below it in sight while the picture is scrolled.
		follow() {
			const top = -this.root.getBoundingClientRect().top, last = Number(this.root.getAttribute("height")) - this.barHeight;
			this.bar.setAttribute("y", Math.max(this.barY, Math.min(top, last)));
		}

		// Scrolls until el can be seen, and is not below the line with the search.
		reveal(el) {
			const box = el.getBoundingClientRect(), low = this.bar.getBoundingClientRect().bottom;
			if (box.top < low) window.scrollBy(0, box.top - low - 4);
			else if (box.bottom > window.innerHeight) window.scrollBy(0, box.bottom - window.innerHeight + 4);
		}

		key(e) {
			const find = e.key === "/" && e.target !== this.input || e.key.toLowerCase() === "f" && (e.ctrlKey || e.metaKey);
			if (find) {
				e.preventDefault();
				this.input.focus();
				this.input.select();
			} else if (e.key === "Escape") {
				e.preventDefault();
				this.reset();
			}
		}
	}

	for (const root of document.querySelectorAll("svg.corelab-flame:not(.live)")) new Picture(root);
})();
