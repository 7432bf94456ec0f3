// The sweep inspector as anywidget takes it.

const widget = () => ({
  /** @param {{ model: Model, el: HTMLElement }} context */
  render({ model, el }) {
    const end = live(model, el);
    const view = new View(model, el);
    return () => {
      view.close();
      end();
    };
  },
});

export default widget;
