from tests.providers.sandbox_box import box, box_of_module

__all__ = ["box", "box_of_module"]
