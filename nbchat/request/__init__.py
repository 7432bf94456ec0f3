"""A request on its way: `Draft`, `prepare`, `Prepared`.

Every face makes a draft and goes this road, so that what one can say all can. Nothing here
sends a request; what has to be asked of a server before is asked through `Servers`.
"""

from nbchat.request.draft import Draft

__all__ = ["Draft"]
