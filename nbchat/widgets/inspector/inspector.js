// The inspector as anywidget takes it: one page for all views of a model.

const widget = () => {
  /** @type {Page} */
  let page;
  return {
    /** @param {{ model: Model }} context */
    initialize({ model }) {
      page = new Page(model);
    },
    /** @param {{ model: Model, el: HTMLElement }} context */
    render({ model, el }) {
      const end = live(model, el);
      const view = new View(page, el);
      return () => {
        view.close();
        end();
      };
    },
  };
};

export default widget;
